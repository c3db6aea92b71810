/* A thin shell: what was read stays readable. Never touches POST, streams, files or other sites. */
const SHELL = "shell-2";
const KEEP = ["/offline/", "/learn/", "{{ style_sheet|escapejs }}"];
const READABLE = ["/", "/learn/", "/help/", "/prices/"];

self.addEventListener("install", (event) =>
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(KEEP)).then(() => self.skipWaiting())),
);

self.addEventListener("activate", (event) =>
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((name) => name !== SHELL).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  ),
);

const remember = (request, response) => {
  if (response.ok && !response.redirected) {
    const copy = response.clone();
    caches.open(SHELL).then((cache) => cache.put(request, copy));
  }
  return response;
};

self.addEventListener("fetch", (event) => {
  const request = event.request;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.headers.get("accept") === "text/event-stream" || url.pathname.includes("/stream/")) return;
  if (url.pathname.startsWith("/static/")) {
    /* the network first: without hashed names a stored file would stay old for ever */
    event.respondWith(fetch(request).then((response) => remember(request, response)).catch(() => caches.match(request)));
    return;
  }
  if (request.mode !== "navigate") return;
  const kept = READABLE.includes(url.pathname);
  event.respondWith(
    fetch(request)
      .then((response) => (kept ? remember(request, response) : response))
      .catch(() => caches.match(request, { ignoreVary: true }).then((hit) => hit || caches.match("/offline/", { ignoreVary: true }))),
  );
});
