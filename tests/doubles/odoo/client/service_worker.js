// Intercepts failing navigations only, as Odoo's does: the gateway's own pages are shown as they come.
const CACHE = "odoo-sw-cache";
const OFFLINE = "/odoo/offline";
self.addEventListener("install", (event) => {
    event.waitUntil(caches.open(CACHE).then((cache) => cache.add(OFFLINE)));
});
const navigateOrDisplayOfflinePage = async (request) => {
    try {
        return await fetch(request);
    } catch (error) {
        if (request.method === "GET" && ["Failed to fetch", "Load failed"].includes(error.message)) {
            const cached = await (await caches.open(CACHE)).match(OFFLINE);
            if (cached) {
                return cached;
            }
        }
        throw error;
    }
};
self.addEventListener("fetch", (event) => {
    if (event.request.mode === "navigate" && event.request.destination === "document") {
        event.respondWith(navigateOrDisplayOfflinePage(event.request));
    }
});
