"""Methods of Odoo's models that only read, by their exact names.

Each was read in the sources of versions 17, 18 and 19, with what it calls and with its extensions in other modules.
"""

from __future__ import annotations

from typing import Final

READ_METHODS: Final = frozenset(
    {
        "check_access_rights",
        "check_access_rule",
        "default_get",
        "fields_get",
        "formatted_read_group",
        "formatted_read_grouping_sets",
        "get_formview_action",
        "get_formview_id",
        "get_property_definition",
        "get_views",
        "has_access",
        "has_group",
        "hierarchy_read",
        "message_get_followers",
        "name_get",
        "name_search",
        "onchange",
        "read",
        "read_group",
        "read_progress_bar",
        "search",
        "search_count",
        "search_panel_select_multi_range",
        "search_panel_select_range",
        "search_read",
        "web_name_search",
        "web_read",
        "web_read_group",
        "web_search_read",
    }
)
"""The methods that may be called on every model."""

_OF_MODELS: Final[dict[str, tuple[str, ...]]] = {
    "account.account": (
        "get_account_group",
        "spreadsheet_fetch_balance_tag",
        "spreadsheet_fetch_debit_credit",
        "spreadsheet_fetch_partner_balance",
        "spreadsheet_fetch_residual_amount",
        "spreadsheet_move_line_action",
    ),
    "account.analytic.line": ("get_unusual_days",),
    "account.analytic.plan": ("get_relevant_plans",),
    "account.journal": ("is_sample_action_available",),
    "account.move": ("action_open_business_doc", "get_extra_print_items"),
    "account.move.line": ("action_open_business_doc",),
    "account.payment": ("action_open_business_doc",),
    "calendar.event": (
        "action_open_calendar_event",
        "get_default_duration",
        "get_discuss_videocall_location",
        "get_state_selections",
        "get_unusual_days",
    ),
    "discuss.channel": ("channel_fetch_preview", "get_mention_suggestions"),
    "hr.attendance": ("has_demo_data",),
    "hr.department": ("get_department_hierarchy",),
    "hr.employee": ("get_avatar_card_data", "get_mandatory_days"),
    "hr.employee.public": ("get_avatar_card_data",),
    "hr.expense": ("get_expense_dashboard",),
    "hr.leave": ("get_unusual_days",),
    "hr.leave.report.calendar": ("get_unusual_days",),
    "hr.work.entry": ("get_unusual_days",),
    "ir.actions.report": ("get_valid_action_reports",),
    "ir.http": ("lazy_session_info",),
    "ir.model": ("display_name_for", "get_available_models", "has_searchable_parent_relation"),
    "ir.ui.view": ("get_view_hierarchy",),
    "mail.activity": ("action_open_document", "activity_format", "get_activity_data"),
    "mail.activity.schedule": ("get_model_options",),
    "product.attribute.value": ("check_is_used_on_products",),
    "product.template": ("get_single_product_variant",),
    "project.project": (
        "check_features_enabled",
        "get_last_update_or_default",
        "get_milestones",
        "get_panel_data",
        "get_sale_items_data",
        "get_template_tasks",
    ),
    "project.task": ("get_mention_suggestions", "get_todo_views_id", "get_unusual_days"),
    "properties.base.definition": ("get_properties_base_definition",),
    "purchase.order": ("action_open_business_doc", "retrieve_dashboard"),
    "report.product.report_pricelist": ("get_html",),
    "res.company": ("get_fiscal_dates",),
    "res.currency": ("get_all_currencies", "get_company_currency_for_spreadsheet"),
    "res.currency.rate": ("get_rates_for_spreadsheet",),
    "res.lang": ("get_installed", "get_locales_for_spreadsheet"),
    "res.partner": (
        "action_open_business_doc",
        "get_attendee_detail",
        "get_mention_suggestions",
        "get_working_hours_for_all_attendees",
        "get_worklocation",
        "im_search",
        "search_for_channel_invite",
    ),
    "res.partner.bank": ("action_open_business_doc",),
    "res.users": ("action_get", "check_synchronization_status", "get_selected_calendars_partner_ids"),
    "resource.resource": ("get_avatar_card_data",),
    "sale.order": ("action_open_business_doc", "get_first_service_line", "get_update_included_pdf_params"),
    "spreadsheet.dashboard": ("get_readonly_dashboard",),
    "stock.warehouse": ("get_current_warehouses",),
    "website": ("get_current_website", "get_website_page_ids", "search_url_dependencies"),
    "website.menu": ("get_tree",),
}
READ_METHODS_OF_MODELS: Final = frozenset((model, name) for model, names in _OF_MODELS.items() for name in names)
"""Further methods that read, each with the model that has it."""
_NEW: Final = ("default_get", "onchange")
_WRITES_OF_MODELS: Final[dict[str, tuple[str, ...]]] = {
    # Some fields of a view write when they are assigned: it changes hands, and Odoo reads all views anew.
    "ir.ui.view": ("onchange",),
    "website.controller.page": ("onchange",),
    "website.page": ("onchange",),
    # A message's template may bring attachments, which are made at once.
    "mail.compose.message": ("onchange",),
    # Archives any record of any model, past all rights, as soon as a box is ticked.
    "privacy.lookup.wizard.line": ("onchange",),
    # What a new one has by default is made, or takes the next number of a sequence, when its form is opened.
    "procurement.group": _NEW,
    "res.company": _NEW,
    "stock.lot": _NEW,
    "stock.quant.package": _NEW,
    "stock.warehouse.orderpoint": _NEW,
    # These fill a table with all routes of the website.
    "website.route": ("name_search", "web_name_search"),
}
WRITE_METHODS_OF_MODELS: Final = frozenset(
    (model, name) for model, names in _WRITES_OF_MODELS.items() for name in names
)
"""Methods that read on every model but these."""
WRITING_CONTEXTS: Final = {("sale.order.line", method): frozenset({"form_view_ref"}) for method in _NEW}
"""Names in a context that make one of them write: from a project, a new line makes a sales order for itself."""
