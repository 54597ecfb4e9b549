// A small web client that asks, shows and fails as Odoo's does. Its class names are those that tests of Odoo look for.
(function () {
"use strict";

class RPCError extends Error {}
class ConnectionLostError extends Error {}

let nextId = 0;
function rpc(route, params = {}) {
    const data = {id: nextId++, jsonrpc: "2.0", method: "call", params};
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.addEventListener("load", () => {
            if (request.status === 502) {
                reject(new ConnectionLostError(route));
                return;
            }
            let answer;
            try {
                answer = JSON.parse(request.response);
            } catch {
                // What isn't JSON can't come from the server.
                reject(new ConnectionLostError(route));
                return;
            }
            const {error, result} = answer;
            if (!error) {
                resolve(result);
                return;
            }
            const failure = new RPCError(error.message);
            failure.code = error.code;
            failure.data = error.data;
            failure.exceptionName = error.data && error.data.name;
            reject(failure);
        });
        request.addEventListener("error", () => reject(new ConnectionLostError(route)));
        request.open("POST", route);
        request.setRequestHeader("Content-Type", "application/json");
        request.send(JSON.stringify(data));
    });
}
function callKw(model, method, args = [], kwargs = {}) {
    return rpc(`/web/dataset/call_kw/${model}/${method}`, {model, method, args, kwargs});
}
function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
}

// Notifications and dialogs.
const notifications = element("div", {className: "o_notification_manager"});
function notify(message, {title = "", type = "info", sticky = false} = {}) {
    const shown = element("div", {className: `o_notification ${type}`, role: "alert"});
    if (title) {
        shown.append(element("strong", {className: "o_notification_title", textContent: title}), " ");
    }
    shown.append(element("span", {className: "o_notification_content", textContent: message}));
    const close = element("button", {className: "o_notification_close", textContent: "×"});
    close.addEventListener("click", () => shown.remove());
    shown.append(close);
    notifications.append(shown);
    if (!sticky) {
        setTimeout(() => shown.remove(), 4000);
    }
    return () => shown.remove();
}
function dialog(title, message, onClose = () => {}) {
    const content = element("div", {className: "modal-content"},
        element("header", {className: "modal-header"}, element("h4", {className: "modal-title", textContent: title})),
        element("main", {className: "modal-body", textContent: message}));
    const button = element("button", {className: "btn btn-primary", textContent: "Close"});
    content.append(element("footer", {className: "modal-footer"}, button));
    const shown = element("div", {className: "o_dialog", role: "dialog"}, content);
    button.addEventListener("click", () => {
        shown.remove();
        onClose();
    });
    document.body.append(shown);
}
const TITLES = {
    "odoo.exceptions.UserError": "Invalid Operation",
    "odoo.exceptions.ValidationError": "Validation Error",
    "odoo.exceptions.AccessError": "Access Error",
    "odoo.exceptions.AccessDenied": "Access Denied",
    "odoo.exceptions.MissingError": "Missing Record",
};
let connectionLost = null;
function lostConnection() {
    if (connectionLost) {
        return;
    }
    const close = notify("Connection lost. Trying to reconnect...", {sticky: true, type: "warning"});
    connectionLost = {delay: 2000};
    const poll = () => {
        setTimeout(async () => {
            try {
                await rpc("/web/webclient/version_info");
                close();
                connectionLost = null;
                notify("Connection restored. You are back online.", {type: "info"});
            } catch {
                connectionLost.delay = connectionLost.delay * 1.5 + 500 * Math.random();
                poll();
            }
        }, connectionLost.delay);
    };
    poll();
}
function handleError(error) {
    if (error instanceof ConnectionLostError) {
        lostConnection();
    } else if (error instanceof RPCError) {
        if (error.exceptionName === "odoo.http.SessionExpiredException") {
            dialog("Odoo Session Expired",
                "Your Odoo session expired. The current page is about to be refreshed.", () => location.reload());
        } else {
            dialog(TITLES[error.exceptionName] || "Odoo Server Error", (error.data && error.data.message) || error.message);
        }
    } else {
        throw error;
    }
}
window.addEventListener("unhandledrejection", (event) => {
    if (event.reason instanceof ConnectionLostError || event.reason instanceof RPCError) {
        event.preventDefault();
        handleError(event.reason);
    }
});

// The bus.
const RESUME = "multi_tab.last_notification_id";
const PRESENCE_EVERY = 60000;
const heard = new EventTarget();
function startBus(info) {
    const worker = new SharedWorker("/bus/websocket_worker_bundle?v=18.0-1", {name: "odoo:websocket_shared_worker"});
    const post = (action, data) => worker.port.postMessage({action, data});
    const sayPresent = () =>
        post("send", {event_name: "update_presence", data: {inactivity_period: 0, im_status_ids_by_model: {}}});
    setInterval(sayPresent, PRESENCE_EVERY);
    worker.port.onmessage = ({data: {type, data}}) => {
        document.body.dataset.bus = type;
        if (data && data.code) {
            document.body.dataset.busCode = data.code;
        }
        if (type === "connect" || type === "reconnect") {
            sayPresent();
        }
        if (type === "outdated") {
            notify("The page is out of date. Please refresh.", {title: "Refresh", type: "warning", sticky: true});
        }
        if (type !== "notification") {
            return;
        }
        for (const {id, message: {type: kind, payload}} of data) {
            localStorage.setItem(RESUME, id);
            if (kind === "simple_notification") {
                notify(payload.message, payload);
            }
            heard.dispatchEvent(new CustomEvent(kind, {detail: payload}));
        }
    };
    worker.port.start();
    post("initialize_connection", {
        websocketURL: `${window.origin.replace("http", "ws")}/websocket?version=18.0-1`,
        lastNotificationId: Number(localStorage.getItem(RESUME) || 0),
        uid: info.uid,
    });
    post("add_channel", `odoo-presence-res.partner_${info.partner_id}`);
}

// Views.
const main = element("div", {className: "o_action_manager"});
// Of several actions that were asked for in a row only the last one is shown, whichever answers last, as in Odoo.
let asked = 0;
function place(turn, ...children) {
    if (turn === asked) {
        main.replaceChildren(...children);
    }
    return turn === asked;
}
const MODELS = {contacts: "res.partner", crm: "crm.lead", sales: "sale.order"};
async function showList(turn, path) {
    const model = MODELS[path];
    await rpc("/web/action/load", {action_id: path, context: {lang: "en_US"}});
    await callKw(model, "get_views", [], {views: [[false, "kanban"], [false, "form"]], options: {}});
    const {records} = await callKw(model, "web_search_read", [], {
        specification: {name: {}, write_date: {}}, domain: [], limit: 40, offset: 0, context: {lang: "en_US"},
    });
    const shown = element("div", {className: "o_kanban_view"});
    for (const record of records) {
        const card = element("article", {className: "o_kanban_record"});
        if (model === "res.partner") {
            card.append(element("img", {src: `/web/image/res.partner/${record.id}/avatar_128`, alt: "", loading: "lazy"}), " ");
        }
        card.append(element("span", {className: "o_record_name", textContent: record.name}));
        card.addEventListener("click", () => open(`${path}/${record.id}`));
        shown.append(card);
    }
    place(turn, shown);
}
async function showForm(turn, path, id) {
    const model = MODELS[path];
    const [record] = await callKw(model, "web_read", [[id]], {specification: {name: {}, state: {}}});
    const name = element("input", {className: "o_field_char", id: "name_0", value: record.name});
    const save = element("button", {className: "o_form_button_save", textContent: "Save"});
    const saved = element("span", {className: "o_form_status_indicator"});
    save.addEventListener("click", async () => {
        const [written] = await callKw(model, "web_save", [[id], {name: name.value}], {specification: {name: {}}});
        saved.textContent = `Saved: ${written.name}`;
    });
    const buttons = element("div", {className: "o_form_buttons"}, save, saved);
    if (model === "sale.order") {
        const confirm = element("button", {name: "action_confirm", textContent: "Confirm"});
        confirm.addEventListener("click", async () => {
            const params = {model, method: "action_confirm", args: [[id]], kwargs: {}};
            await rpc("/web/dataset/call_button/sale.order/action_confirm", params);
            saved.textContent = "Confirmed";
        });
        const print = element("a", {className: "o_print", href: `/report/pdf/sale.report_saleorder/${id}`, textContent: "Print", download: "order.pdf"});
        buttons.append(confirm, print);
    }
    if (!place(turn, element("div", {className: "o_form_view"}, buttons, name), chatter(model, id))) {
        return;
    }
    await rpc("/mail/thread/messages", {thread_model: model, thread_id: id, limit: 30});
    await rpc("/mail/thread/data", {thread_model: model, thread_id: id, request_list: ["attachments"]}).then(
        (data) => (data["ir.attachment"] || []).forEach(showAttachment));
}
function showAttachment({id, name}) {
    const list = document.querySelector(".o-mail-AttachmentList");
    list.append(element("a", {
        className: "o-mail-AttachmentCard", textContent: name, download: name,
        href: `/web/content/${id}?filename=${encodeURIComponent(name)}&unique=${id}&download=true`,
    }));
}
function chatter(thread_model, thread_id) {
    const file = element("input", {type: "file", className: "o_input_file"});
    file.addEventListener("change", () => {
        const form = new FormData();
        form.append("csrf_token", odoo.csrf_token);
        form.append("is_pending", "false");
        form.append("thread_id", thread_id);
        form.append("thread_model", thread_model);
        form.append("ufile", file.files[0]);
        const request = new XMLHttpRequest();
        request.open("POST", "/mail/attachment/upload");
        request.addEventListener("load", () => {
            let data = null;
            try {
                data = JSON.parse(request.response).data;
            } catch {
                // Shown below, as Odoo shows it.
            }
            if (request.status === 413) {
                notify("File too large", {type: "danger"});
            } else if (!data) {
                notify("Server error while uploading.", {type: "danger", sticky: true});
            } else {
                data["ir.attachment"].forEach(showAttachment);
            }
        });
        request.addEventListener("error", () => notify("Server error while uploading.", {type: "danger", sticky: true}));
        request.send(form);
    });
    const note = element("textarea", {className: "o-mail-Composer-input"});
    const send = element("button", {className: "o-mail-Composer-send", textContent: "Log"});
    const thread = element("div", {className: "o-mail-Thread"});
    send.addEventListener("click", async () => {
        const post_data = {body: note.value, message_type: "comment", subtype_xmlid: "mail.mt_note"};
        await rpc("/mail/message/post", {thread_model, thread_id, post_data});
        thread.append(element("div", {className: "o-mail-Message", textContent: note.value}));
        note.value = "";
    });
    return element("div", {className: "o-mail-Chatter"}, file, element("div", {className: "o-mail-AttachmentList"}), note, send, thread);
}
async function showDiscuss(turn) {
    await rpc("/web/action/load", {action_id: "discuss", context: {lang: "en_US"}});
    const sidebar = element("div", {className: "o-mail-DiscussSidebar"});
    const content = element("div", {className: "o-mail-Discuss-content", textContent: "Inbox"});
    place(turn, element("div", {className: "o-mail-Discuss"}, sidebar, content));
    const {Store} = await rpc("/mail/data", {init_messaging: {}, context: {lang: "en_US"}});
    const fold = element("button", {className: "o-mail-DiscussSidebarCategory", textContent: "Channels"});
    const list = element("div", {className: "o-mail-DiscussSidebar-channels"});
    fold.addEventListener("click", async () => {
        list.hidden = !list.hidden;
        const new_settings = {is_discuss_sidebar_category_channel_open: !list.hidden};
        await callKw("res.users.settings", "set_res_users_settings", [[odoo.__session_info__.user_settings.id]], {new_settings});
    });
    sidebar.append(fold, list);
    for (const {id, name} of Store["discuss.channel"] || []) {
        const item = element("button", {className: "o-mail-DiscussSidebarChannel", textContent: name});
        item.addEventListener("click", () => showChannel(content, id));
        list.append(item);
    }
    await rpc("/mail/inbox/messages", {limit: 30});
}
// The channel on show. Its latest message is marked as read as soon as it is seen, without anybody's doing.
let channel = {id: null, thread: null, seen: 0};
async function showChannel(content, id) {
    const thread = element("div", {className: "o-mail-Thread"});
    channel = {id, thread, seen: 0};
    const note = element("textarea", {className: "o-mail-Composer-input"});
    const send = element("button", {className: "o-mail-Composer-send", textContent: "Send"});
    let typing = false;
    const tellTyping = async (is_typing) => {
        if (typing !== is_typing) {
            typing = is_typing;
            await rpc("/discuss/channel/notify_typing", {channel_id: id, is_typing});
        }
    };
    note.addEventListener("input", () => tellTyping(note.value !== ""));
    send.addEventListener("click", async () => {
        const post_data = {body: note.value, message_type: "comment", subtype_xmlid: "mail.mt_comment"};
        const {message_id} = await rpc("/mail/message/post", {thread_model: "discuss.channel", thread_id: id, post_data});
        addMessages([{id: message_id, body: note.value}]);
        note.value = "";
        await tellTyping(false);
    });
    content.replaceChildren(thread, note, send);
    const {data} = await rpc("/discuss/channel/messages", {channel_id: id, fetch_params: {limit: 30}});
    await addMessages((data["mail.message"] || []).sort((one, other) => one.id - other.id));
}
async function addMessages(messages) {
    const {id: channel_id, thread, seen} = channel;
    const added = messages.filter(({id}) => id > seen);
    if (!added.length) {
        return;
    }
    thread.append(...added.map(({body}) => element("div", {className: "o-mail-Message", textContent: body})));
    const last_message_id = (channel.seen = added[added.length - 1].id);
    await rpc("/discuss/channel/mark_as_read", {channel_id, last_message_id, sync: true});
    thread.dataset.read = last_message_id;
}
heard.addEventListener("discuss.channel/new_message", ({detail: {id, message}}) => {
    if (id === channel.id && channel.thread.isConnected) {
        addMessages([message]);
    }
});
async function show() {
    const [, path = "discuss", id] = location.pathname.match(/^\/(?:odoo|web)\/?([a-z]+)?(?:\/(\d+))?/) || [];
    const turn = ++asked;
    if (MODELS[path]) {
        await (id ? showForm(turn, path, Number(id)) : showList(turn, path));
    } else {
        await showDiscuss(turn);
    }
    if (turn === asked) {
        document.body.dataset.ready = path;
    }
}
function open(path) {
    history.pushState({}, "", `/odoo/${path}`);
    document.body.dataset.ready = "";
    return show();
}
window.addEventListener("popstate", () => show());

async function start() {
    const info = odoo.__session_info__;
    document.cookie = "cids=1; path=/; max-age=31536000";
    localStorage.setItem("web.lastConnectedUser", JSON.stringify({login: info.username}));
    const user = element("span", {className: "o_user_menu", textContent: info.name});
    const bar = element("nav", {className: "o_navbar"});
    document.body.append(bar, main, notifications);
    fetch(`/web/webclient/translations/${info.cache_hashes.translations}?lang=en_US`);
    if (navigator.serviceWorker) {
        navigator.serviceWorker.register("/web/service-worker.js", {scope: "/odoo"}).catch(
            (error) => console.error("Service worker registration failed, error:", error)
        );
    }
    const menus = await odoo.loadMenusPromise.catch(() => ({}));
    for (const {name, actionPath} of Object.values(menus).filter((menu) => menu.actionPath)) {
        const item = element("a", {className: "o_app", textContent: name});
        item.dataset.menu = actionPath;
        item.addEventListener("click", () => open(actionPath));
        bar.append(item);
    }
    const avatar = element("img", {src: `/web/image?model=res.users&field=avatar_128&id=${info.uid}`, alt: "", height: 24});
    bar.append(avatar, user, element("a", {className: "o_logout", href: "/web/session/logout", textContent: "Log out"}));
    startBus(info);
    rpc("/mail/action", {init_messaging: {}, context: {lang: "en_US"}});
    await show();
}
odoo.rpc = rpc;
odoo.callKw = callKw;
start();
})();
