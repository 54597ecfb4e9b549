// The SharedWorker that holds one WebSocket for all tabs of an origin.
const CLEAN = 1000, SESSION_EXPIRED = 4001, KEEP_ALIVE_TIMEOUT = 4002, RECONNECTING = 4003;
const FIRST_DELAY = 1000, LONGEST_DELAY = 60000;
const clients = new Set();
const channels = new Set();
let url = null, socket = null, delay = 0, retrying = 0, lastNotificationId = 0, stopped = false, waiting = [];

function tell(type, data) {
    for (const client of clients) {
        client.postMessage({type, data});
    }
}
function send(event_name, data) {
    const frame = JSON.stringify({event_name, data});
    if (socket && socket.readyState === WebSocket.OPEN) {
        socket.send(frame);
    } else if (event_name !== "subscribe") {
        waiting.push(frame);
    }
}
function subscribe() {
    send("subscribe", {channels: [...channels], last: lastNotificationId});
}
function start() {
    if (stopped || !url || (socket && socket.readyState < WebSocket.CLOSING)) {
        return;
    }
    socket = new WebSocket(url);
    socket.addEventListener("open", () => {
        tell(delay ? "reconnect" : "connect");
        delay = 0;
        subscribe();
        waiting.forEach((frame) => socket.send(frame));
        waiting = [];
    });
    socket.addEventListener("message", (event) => {
        const notifications = JSON.parse(event.data);
        lastNotificationId = notifications[notifications.length - 1].id;
        tell("notification", notifications);
    });
    socket.addEventListener("close", ({code, reason}) => {
        if (code === CLEAN) {
            // An outdated version is never tried again.
            stopped = true;
            tell("disconnect", {code, reason});
            if (reason === "OUTDATED_VERSION") {
                tell("outdated");
            }
            return;
        }
        tell("disconnect", {code, reason});
        if (code === SESSION_EXPIRED) {
            tell("session_expired");
        }
        retry(code === KEEP_ALIVE_TIMEOUT);
    });
}
function retry(atOnce) {
    delay = atOnce ? 0 : Math.min(delay ? delay * 1.5 + 500 * Math.random() : FIRST_DELAY + 1000 * Math.random(), LONGEST_DELAY);
    clearTimeout(retrying);
    tell("reconnecting", {closeCode: RECONNECTING});
    retrying = setTimeout(start, delay);
}
const actions = {
    initialize_connection(data) {
        url = data.websocketURL;
        lastNotificationId = Math.max(lastNotificationId, data.lastNotificationId || 0);
        start();
    },
    add_channel(channel) {
        if (!channels.has(channel)) {
            channels.add(channel);
            subscribe();
        }
    },
    send({event_name, data}) {
        send(event_name, data);
    },
};
self.addEventListener("connect", (event) => {
    const client = event.ports[0];
    clients.add(client);
    client.onmessage = ({data}) => actions[data.action](data.data);
});
