// What tests/real_odoo/walk.py runs in Odoo's web client and on its website: press, wait until nothing is under way, and
// say what stands on the screen. It knows class names of the clients of 17 to 19.
(() => {
    if (window.walk) return;
    let pending = 0;
    let since = performance.now();
    let refusals = [];
    const begin = () => { pending += 1; };
    const end = () => { pending -= 1; since = performance.now(); };

    // The bus asks again and again, and images change nothing on a screen that is compared.
    const counts = (url) => !/\/(longpolling|websocket|bus|web\/image|web\/content)\b/.test(String(url));
    const path = (url) => new URL(String(url), location.href).pathname;
    const note = (url, status, text) => {
        const refused = status === 403 || /^\s*\{[^]*"error"/.test(text.slice(0, 200)) && text.includes("view-only");
        if (refused) refusals.push({ path: path(url), said: (text.match(/"message": ?"([^"]*view-only[^"]*)/) || [])[1] || `${status}` });
    };

    const { open, send } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.open = function (method, url, ...rest) {
        this.walked = url;
        return open.call(this, method, url, ...rest);
    };
    XMLHttpRequest.prototype.send = function (...given) {
        const url = this.walked;
        if (counts(url)) {
            begin();
            this.addEventListener("loadend", () => {
                const text = ["", "text"].includes(this.responseType) ? this.responseText : "";
                note(url, this.status, text);
                end();
            });
        }
        return send.apply(this, given);
    };
    const fetched = window.fetch;
    window.fetch = async function (what, ...rest) {
        const url = what instanceof Request ? what.url : what;
        if (!counts(url)) return fetched.call(this, what, ...rest);
        begin();
        try {
            const answer = await fetched.call(this, what, ...rest);
            note(url, answer.status, await answer.clone().text());
            return answer;
        } finally {
            end();
        }
    };

    // Bundles that the client loads when they are needed are elements, not calls.
    new MutationObserver((changes) => {
        for (const each of changes.flatMap((change) => [...change.addedNodes])) {
            if (!(each.matches?.("script[src]") || each.matches?.("link[rel=stylesheet]"))) continue;
            begin();
            for (const kind of ["load", "error"]) each.addEventListener(kind, end, { once: true });
        }
    }).observe(document, { childList: true, subtree: true });

    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const all = (selector, root = document) => [...root.querySelectorAll(selector)];
    const seen = (selector, root = document) => all(selector, root).filter((each) => each.offsetParent !== null);
    const words = (element) => (element?.innerText || "").trim().replace(/\s+/g, " ");
    const env = () => window.odoo?.__WOWL_DEBUG__?.root?.env;

    // Nothing asked for during `quiet` ms, and no picture of something that turns; false where that takes longer than 20 s.
    async function settled(quiet = 150) {
        const deadline = performance.now() + 20000;
        await pause(30);
        while (performance.now() < deadline) {
            const turning = document.querySelector(".o_blockUI, .o_spreadsheet_loading, .o_loading_indicator:not(.d-none) .fa-spin");
            if (pending <= 0 && !turning && performance.now() - since > quiet) return true;
            await pause(25);
        }
        return false;
    }

    // A view without records may draw some that are none.
    const RECORD = ".o_action_manager .o_list_renderer:not(.o_view_sample_data *) .o_data_row .o_data_cell:not(.o_list_record_selector):not(.o_handle_cell), "
        + ".o_action_manager .o_kanban_record:not(.o_kanban_ghost):not(.o_view_sample_data *)";
    const KINDS = ["list", "kanban", "form", "calendar", "graph", "pivot", "activity", "hierarchy", "map", "gantt"];
    const COUNTED = {
        rows: ".o_list_view .o_data_row", groups: ".o_group_header, .o_kanban_group", cards: ".o_kanban_record:not(.o_kanban_ghost)",
        fields: ".o_form_view .o_field_widget", tabs: ".o_notebook_headers .nav-link", buttons: ".oe_stat_button",
        events: ".fc-event", days: ".fc-day, .fc-daygrid-day", charts: ".o_graph_renderer canvas",
        cells: ".o_pivot td, .o_pivot th", activities: ".o_activity_view td, .o_activity_view th",
        nodes: ".o_hierarchy_node", messages: ".o-mail-Message", images: ".o_action_manager img:not(.o_onboarding_container *)",
        figures: ".o-figure, .o-spreadsheet canvas", channels: ".o-mail-DiscussSidebarChannel, .o-mail-DiscussSidebar-item",
        settings: ".o_setting_box", empty: ".o_view_nocontent", panel: ".o_search_panel_category_value, .o_search_panel_filter_value",
    };

    function dialogOf(modal) {
        return {
            title: words(modal.querySelector(".modal-title")),
            text: words(modal.querySelector(".modal-body")).slice(0, 300),
            crash: modal.querySelector(".o_error_dialog .alert, .o_error_detail, .o_error_dialog pre") !== null
                || /^Oops/.test(words(modal.querySelector(".modal-title"))),
        };
    }

    function screen() {
        const manager = document.querySelector(".o_action_manager") || document.querySelector("#wrapwrap") || document.body;
        const modals = all(".modal.o_technical_modal, .modal.show, .modal.d-block")
            .filter((each) => each.querySelector(".modal-content") && each.getClientRects().length);
        const top = modals.at(-1);
        const refused = modals.map(dialogOf).filter((each) => each.crash || /view-only|Error|Warning|Invalid|Access|went wrong/i.test(each.title + each.text));
        const shown = top || manager;
        const views = KINDS.filter((kind) => shown.querySelector(`.o_${kind}_view, .o_${kind}_renderer`));
        const counts = {};
        for (const [name, selector] of Object.entries(COUNTED)) {
            const found = all(selector, selector.startsWith(".o_action_manager") ? document : shown).length;
            if (found) counts[name] = found;
        }
        const frames = all("iframe", shown).map((frame) => {
            try {
                const inner = frame.contentDocument;
                return { elements: Math.round(inner.body.querySelectorAll("*").length / 20), headings: all("h1, h2", inner).map(words) };
            } catch {
                return null;
            }
        });
        const heads = all(top ? ".modal-content .modal-title, .modal-content th, .modal-content label, .modal-content .modal-footer button"
            : ".o_breadcrumb, .o_control_panel .active, th, .o_kanban_header_title, .o_column_title, .o_horizontal_separator, .o_form_label, .o_stat_text, .fc-toolbar-title, h1, h2", shown);
        // What Odoo draws where there are no records is drawn by chance.
        if (shown.querySelector(".o_view_sample_data")) return { ...place(shown, top, views), headings: [], counts: { samples: 1 }, frames, dialogs: refused };
        return {
            ...place(shown, top, views),
            headings: heads.map(words).filter((each) => each).slice(0, 200),
            counts, frames,
            dialogs: refused,
        };
    }

    function place(shown, top, views) {
        const first = shown.querySelector(":scope > *");
        return {
            kind: top ? "dialog" : views[0] || (first ? [...first.classList].find((each) => /^o[_-]/.test(each)) || "page" : "blank"),
            title: document.title,
            text: words(shown),
            notifications: all(".o_notification").map(words),
            at: location.pathname,
        };
    }

    // Presses like a mouse: Odoo's own widgets listen to each of these.
    function press(element) {
        for (const kind of ["pointerdown", "mousedown", "pointerup", "mouseup"]) {
            const Kind = kind.startsWith("p") ? PointerEvent : MouseEvent;
            element.dispatchEvent(new Kind(kind, { bubbles: true, cancelable: true, button: 0 }));
        }
        element.click();
    }

    async function shut() {
        for (let tries = 0; tries < 4; tries += 1) {
            const close = seen(".modal .btn-close, .modal [data-dismiss=modal], .modal .o_form_button_cancel").at(-1);
            if (!close) break;
            close.click();
            await pause(60);
        }
        for (const each of seen(".o_list_button_discard")) each.click();
        for (const each of all(".o_notification_close")) each.click();
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
        await pause(20);
    }

    let kept = null;

    async function openPanel() {
        if (seen(".o_group_by_menu, .o_filter_menu, .o_favorite_menu").length) return;
        press(seen(".o_searchview_dropdown_toggler")[0]);
        await pause(80);
    }

    // What can be pressed on a screen, each by a name that is the same on the other side.
    const DO = {
        menu: async (id) => {
            const before = env().services.action.currentController?.jsId;
            await env().services.menu.selectMenu(Number(id));
            if (env().services.action.currentController?.jsId === before && !document.querySelector(".modal")) throw new Error("The menu opens nothing.");
        },
        view: (kind) => press(seen(`.o_cp_switch_buttons .o_switch_view.o_${kind}`)[0]),
        panel: openPanel,
        filter: async () => press((await openPanel(), seen(".o_filter_menu .dropdown-item:not(.o_add_custom_filter):not(.dropdown-toggle)")[0])),
        group: async () => press((await openPanel(), seen(".o_group_by_menu .dropdown-item:not(.o_add_custom_group_menu):not(.dropdown-toggle)")[0])),
        search: async (text) => {
            const input = document.querySelector(".o_searchview_input");
            input.focus();
            input.value = text;
            input.dispatchEvent(new InputEvent("input", { bubbles: true }));
            await pause(60);
            input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        },
        open: async () => {
            press(seen(RECORD)[0]);
            await settled();
            kept = env().services.action.currentController.jsId;
        },
        unfold: () => press(seen(".o_group_header")[0]),
        stat: async (name) => {
            if (!stats().has(name)) {
                press(seen(".o_button_more")[0]);
                await pause(100);
            }
            press(stats().get(name));
        },
        form: async () => {
            if (env().services.action.currentController.jsId !== kept) await env().services.action.restore(kept);
        },
        click: (selector) => press(seen(selector)[0]),
        nth: ([selector, number]) => press(seen(selector)[number]),
    };

    function stats() {
        const found = new Map();
        for (const each of seen(".oe_stat_button")) {
            if (each.querySelector(".o_button_more")) continue;
            const button = each.matches("button, a") ? each : each.querySelector("button, a") || each;
            found.set(button.getAttribute("name") || words(each.querySelector(".o_stat_text") || each), button);
        }
        return found;
    }

    window.walk = {
        settled, screen, shut,
        async step(kind, given) {
            refusals = [];
            let failed = null;
            // What fails is Odoo's to show, as after a click, for which nobody waits.
            const fail = (error) => { failed = String(error); if (!(error instanceof TypeError)) Promise.reject(error); };
            try {
                await Promise.race([Promise.resolve(DO[kind](given)).catch(fail), settled(400)]);
            } catch (error) {
                fail(error);
            }
            const quiet = await settled();
            return { ...screen(), quiet, failed, refusals };
        },
        menus: () => env().services.menu.getAll().filter((each) => each.actionID)
            .map(({ id, name, actionID, xmlid, appID }) => ({ id, name, actionID, xmlid, app: env().services.menu.getMenu(appID)?.name })),
        views: () => seen(".o_cp_switch_buttons .o_switch_view").map((each) => [...each.classList].map((name) => name.match(/^o_(?!switch)(\w+)$/)?.[1]).find((kind) => kind)),
        async stats() {
            const more = seen(".o_button_more")[0];
            if (more) { press(more); await pause(100); }
            const found = [...stats().keys()];
            if (more) { press(more); await pause(60); }
            return found;
        },
        inClient: () => Boolean(env()?.services?.menu),
        records: () => seen(RECORD).length,
        has: (selector) => seen(selector).length,
        model: () => env()?.services.action.currentController?.props?.resModel || null,
    };
})();
