/* Read codes with the camera, where the browser can. Without it people type, or send a photo that the server reads.
   <div data-scan="#id_codes" data-read="#id_read" hidden><button type="button">…</button><video hidden></video><p>…</p></div> */
const WANTED = ["qr_code", "data_matrix", "code_128", "aztec"];

const prepare = async (box) => {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) return;
  const able = await BarcodeDetector.getSupportedFormats();
  const formats = WANTED.filter((format) => able.includes(format));
  if (!formats.length) return;
  const detector = new BarcodeDetector({ formats });
  const [button, video, said] = ["button", "video", "p"].map((part) => box.querySelector(part));
  const input = document.querySelector(box.dataset.scan);
  const read = document.querySelector(box.dataset.read);
  box.hidden = false;

  const stop = () => {
    video.srcObject?.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
    video.hidden = true;
  };
  const keep = (text) => {
    const lines = input.value.split("\n").filter((line) => line.trim());
    if (!lines.length) read.value = "CAMERA";
    if (!lines.includes(text)) input.value = [...lines, text].join("\n");
    said.textContent = `${said.dataset.found} ${text}`;
    stop();
  };
  const look = async () => {
    if (video.hidden) return;
    const [found] = await detector.detect(video).catch(() => []);
    if (found?.rawValue.trim()) keep(found.rawValue.replace(/\s+/g, " ").trim());
    else setTimeout(look, 200);
  };
  button.addEventListener("click", async () => {
    if (!video.hidden) return stop();
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video.hidden = false;
      said.textContent = "";
      await video.play();
      look();
    } catch {
      stop();
      said.textContent = said.dataset.none;
    }
  });
  input.addEventListener("input", () => { read.value = "TYPED"; });
  addEventListener("pagehide", stop);
};
document.querySelectorAll("[data-scan]").forEach((box) => prepare(box).catch(() => {}));
