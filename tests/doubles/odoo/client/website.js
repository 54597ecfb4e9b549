// The website's scripts: what each page of Odoo's website fetches and stores, and no more.
document.cookie = "tz=" + Intl.DateTimeFormat().resolvedOptions().timeZone + "; path=/";
fetch("/website/translations/f190600fcc2c8abbccf8cd90fa8dc7eea184a24d?lang=en_US");
for (const font of [
    "/web/static/src/libs/fontawesome/fonts/fontawesome-webfont.woff2?v=4.7.0",
    "/web/static/fonts/twitter_x_only.woff",
    "/web/static/lib/odoo_ui_icons/fonts/odoo_ui_icons.woff2",
]) {
    fetch(font);
}
document.documentElement.dataset.ready = "website";
