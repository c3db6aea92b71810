"""What a certificate may say, how it is written down, signed, withdrawn and checked. Pure: no Django, no clock."""
