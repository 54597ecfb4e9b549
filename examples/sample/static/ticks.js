"use strict";
const show = (id, text) => { document.getElementById(id).textContent = text; };

const address = new URL("/ws/ticks", location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const socket = new WebSocket(address);
socket.onopen = () => show("socket-state", "open");
socket.onclose = () => show("socket-state", "closed");
socket.onmessage = (message) => show("tick", JSON.parse(message.data).tick);

const events = new EventSource("/events");
events.onopen = () => show("event-state", "open");
events.onerror = () => show("event-state", events.readyState === EventSource.CLOSED ? "closed" : "connecting");
events.onmessage = (message) => show("event", message.lastEventId);
