"""The main job, end to end, by people who only have a browser and programs who only have the API."""
