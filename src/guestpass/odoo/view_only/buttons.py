"""Buttons of Odoo's views, and rows of its lists, that only say what to open: each a method with its model.

Each was checked in the sources of versions 17, 18 and 19, with its extensions in other modules. Those of Odoo 18 and 19
with sales, CRM, projects, website and shop were pressed besides, while a trigger on each table noted what is written.
"""

from __future__ import annotations

from typing import Final

_OF_MODELS: Final = {
    "account.account": "action_open_related_taxes",
    "account.analytic.account": (
        "action_view_mrp_bom action_view_mrp_production action_view_projects action_view_purchase_orders"
    ),
    "account.analytic.line": (
        "action_invoice_from_timesheet action_open_timesheet_view_portal action_sale_order_from_timesheet"
    ),
    "account.analytic.plan": "action_view_analytical_accounts action_view_children_plans",
    "account.fiscal.position": "action_open_related_taxes",
    "account.journal": (
        "open_action open_action_with_context open_bank_difference_action open_expenses_action "
        "open_invalid_statements_action open_payments_action"
    ),
    "account.lock_exception": "action_show_audit_trail_during_exception",
    "account.move": (
        "action_open_business_doc action_open_expense action_open_expense_report action_view_debit_notes "
        "action_view_landed_costs action_view_payment_transactions action_view_source_purchase_orders "
        "action_view_source_sale_orders action_view_wip_production open_adjusting_entries "
        "open_adjusting_entry_origin_moves open_duplicated_ref_bill_view open_payments open_reconcile_view"
    ),
    "account.move.line": "open_reconcile_view",
    "account.payment": (
        "action_open_destination_journal action_open_expense action_open_expense_report action_view_refunds"
    ),
    "calendar.event": "action_open_calendar_event action_open_composer",
    "crm.lead": (
        "action_redirect_to_livechat_sessions action_redirect_to_page_views action_schedule_meeting "
        "action_show_potential_duplicates action_view_sale_order action_view_sale_quotation"
    ),
    "crm.lost.reason": "action_lost_leads",
    "crm.team": "action_primary_channel_button get_abandoned_carts",
    "event.booth": "action_view_sale_order action_view_sponsor",
    "event.event": "action_view_linked_orders",
    "event.question": "action_event_view action_view_question_answers",
    "event.registration": "action_view_sale_order",
    "event.track": "action_view_quiz",
    "fleet.vehicle": "action_open_employee action_view_bills",
    "fleet.vehicle.log.contract": "action_open_employee",
    "fleet.vehicle.model.brand": "action_brand_model",
    "forum.forum": "go_to_website",
    "forum.post": "go_to_website",
    "gamification.badge.user": "action_open_badge",
    "hr.applicant": (
        "action_open_applications action_open_attachments action_open_employee action_open_other_applications "
        "action_talent_pool_stat_button"
    ),
    "hr.attendance": "action_in_attendance_maps action_out_attendance_maps",
    "hr.candidate": (
        "action_open_applications action_open_attachments action_open_employee action_open_similar_candidates"
    ),
    "hr.department": (
        "action_employee_from_department action_open_allocation_department action_open_leave_department "
        "action_open_view_child_departments"
    ),
    "hr.employee": (
        "action_document_view action_open_contract action_open_courses action_open_employee_cars "
        "action_open_last_month_attendances action_open_last_month_overtime action_open_versions "
        "action_related_contacts action_time_off_dashboard action_timesheet_from_employee action_view_loans"
    ),
    "hr.employee.public": (
        "action_open_courses action_open_last_month_attendances action_open_time_off_calendar "
        "action_timesheet_from_employee"
    ),
    "hr.expense": (
        "action_open_account_move action_open_sale_order action_show_same_receipt_expense_ids action_view_sheet"
    ),
    "hr.expense.sheet": "action_open_account_moves action_open_expense_view action_open_sale_orders",
    "hr.job": (
        "action_open_activities action_open_attachments action_open_employees action_open_late_activities "
        "action_open_today_activities"
    ),
    "hr.leave.accrual.plan": "action_open_accrual_plan_employees",
    "hr.leave.report": "action_open_record",
    "hr.leave.type": "action_see_accrual_plans action_see_days_allocated action_see_group_leaves",
    "hr.version": "action_open_version",
    "im_livechat.channel": "action_view_chatbot_scripts action_view_rating",
    "ir.actions.server": "action_open_automation action_open_parent_action action_open_scheduled_action",
    "link.tracker": "action_view_statistics",
    "loyalty.program": "action_open_loyalty_cards",
    "mail.activity": "action_open_document",
    "mail.alias": "open_document open_parent_document",
    "mail.message": "action_open_document",
    "mailing.list": (
        "action_view_contacts action_view_contacts_blacklisted action_view_contacts_bouncing "
        "action_view_contacts_email action_view_contacts_opt_out action_view_contacts_sms action_view_mailings"
    ),
    "mailing.mailing": (
        "action_redirect_to_invoiced action_redirect_to_leads_and_opportunities action_redirect_to_quotations "
        "action_view_bounced action_view_clicked action_view_delivered action_view_link_trackers "
        "action_view_mailing_contacts action_view_opened action_view_replied action_view_traces_failed "
        "action_view_traces_process action_view_traces_scheduled action_view_traces_sent"
    ),
    "mailing.subscription": "open_mailing_contact",
    "mailing.trace": "action_view_contact",
    "maintenance.equipment": "action_open_matched_serial",
    "mrp.production": (
        "action_open_project action_product_forecast_report action_see_move_scrap action_view_analytic_accounts "
        "action_view_mo_delivery action_view_move_wip action_view_mrp_production_backorders "
        "action_view_mrp_production_childs action_view_mrp_production_sources action_view_mrp_production_unbuilds "
        "action_view_purchase_orders action_view_reception_report action_view_repair_orders action_view_sale_orders "
        "action_view_serial_numbers action_view_stock_valuation_layers"
    ),
    "mrp.workcenter": "action_show_operations action_work_order action_work_order_alternatives",
    "mrp.workorder": "action_see_move_scrap",
    "payment.transaction": "action_view_invoices action_view_refunds action_view_sales_orders",
    "product.attribute": "action_open_related_products",
    "product.document": "action_open_pdf_form_fields",
    "product.pricelist": "action_open_pricelist_report",
    "product.product": (
        "action_open_documents action_open_product_lot action_product_forecast_report action_used_in_bom "
        "action_view_bom action_view_mos action_view_orderpoints action_view_po action_view_related_putaway_rules "
        "action_view_sales action_view_storage_category_capacity open_pricelist_rules"
    ),
    "product.template": (
        "action_open_documents action_open_product_lot action_open_quants action_product_tmpl_forecast_report "
        "action_used_in_bom action_view_mos action_view_orderpoints action_view_po action_view_related_putaway_rules "
        "action_view_sales action_view_storage_category_capacity open_pricelist_rules"
    ),
    "project.milestone": "action_view_sale_order action_view_tasks",
    "project.project": (
        "action_get_list_view action_project_task_burndown_chart_report action_view_all_rating action_view_sos "
        "action_view_tasks action_view_tasks_analysis project_update_all_action"
    ),
    "project.task": (
        "action_dependent_tasks action_open_parent_task action_open_ratings action_open_task "
        "action_project_sharing_open_blocking action_project_sharing_open_subtasks action_recurring_tasks "
        "action_redirect_to_project_task_form action_view_so"
    ),
    "purchase.order": (
        "action_compare_alternative_lines action_purchase_comparison action_view_dropship action_view_invoice "
        "action_view_mrp_productions action_view_picking action_view_repair_orders action_view_sale_orders "
        "action_view_subcontracting_resupply"
    ),
    "purchase.order.line": "action_open_order",
    "quotation.document": "action_open_pdf_form_fields",
    "rating.rating": "action_open_rated_object",
    "repair.order": "action_view_mrp_productions action_view_purchase_orders action_view_sale_order",
    "res.company": "action_all_company_branches",
    "res.groups": "action_show_all_users",
    "res.partner": (
        "action_event_view action_open_employees action_view_certifications action_view_courses "
        "action_view_livechat_sessions action_view_loyalty_cards action_view_opportunity action_view_partner_invoices "
        "action_view_partner_with_same_bank action_view_sale_order action_view_stock_lots action_view_stock_serial "
        "action_view_tasks open_commercial_entity schedule_meeting"
    ),
    "res.users": (
        "action_open_employee_cars action_open_employees action_open_last_month_attendances "
        "action_open_last_month_overtime action_related_contact action_show_accesses action_show_groups "
        "action_show_rules"
    ),
    "resource.calendar": "action_open_contracts",
    "sale.order": (
        "action_show_repair action_view_attendee_list action_view_booth_list action_view_delivery action_view_dropship "
        "action_view_gift_cards action_view_invoice action_view_milestone action_view_mrp_production "
        "action_view_project_ids action_view_purchase_orders action_view_task action_view_timesheet"
    ),
    "sale.report": "action_open_order",
    "slide.channel": (
        "action_redirect_to_certified_members action_redirect_to_completed_members action_redirect_to_engaged_members "
        "action_redirect_to_forum action_redirect_to_invited_members action_redirect_to_members action_view_ratings "
        "action_view_sales action_view_slides"
    ),
    "slide.slide": "action_view_embeds",
    "stock.location": "action_view_equipments_records",
    "stock.lot": (
        "action_lot_open_quants action_lot_open_repairs action_lot_open_transfers action_view_po action_view_ro "
        "action_view_so action_view_stock_valuation_layers"
    ),
    "stock.move": "action_get_account_moves action_open_reference action_show_details",
    "stock.move.line": "action_open_reference",
    "stock.package": "action_view_picking",
    "stock.package.history": "action_show_package",
    "stock.package_level": "action_show_package_details",
    "stock.picking": (
        "action_detailed_operations action_picking_move_tree action_see_move_scrap action_see_package_histories "
        "action_see_packages action_see_returns action_show_subcontract_details action_view_batch "
        "action_view_mrp_production action_view_reception_report action_view_repairs "
        "action_view_stock_valuation_layers action_view_subcontracting_source_purchase"
    ),
    "stock.picking.batch": "action_batch_detailed_operations action_see_packages action_view_reception_report",
    "stock.picking.type": (
        "get_action_picking_tree_backorder get_action_picking_tree_batch get_action_picking_tree_late "
        "get_action_picking_tree_ready get_action_picking_tree_waiting get_action_picking_tree_wave "
        "get_action_picking_type_moves_analysis get_action_picking_type_operations get_action_picking_type_ready_moves "
        "get_mrp_stock_picking_action_picking_type get_repair_stock_picking_action_picking_type "
        "get_stock_picking_action_picking_type"
    ),
    "stock.quant.package": "action_view_picking",
    "stock.scrap": "action_get_stock_move_lines action_get_stock_picking",
    "stock.valuation.layer": "action_open_journal_entry action_open_reference",
    "stock.warehouse": "action_view_all_routes",
    "stock.warehouse.orderpoint": "action_product_forecast_report",
    "survey.survey": (
        "action_survey_see_leads action_survey_user_input action_survey_user_input_certified "
        "action_survey_user_input_completed action_survey_view_slide_channels"
    ),
    "survey.user_input": "action_redirect_to_attempts",
    "uom.uom": "action_open_packaging_barcodes",
    "utm.campaign": (
        "action_redirect_to_invoiced action_redirect_to_leads_opportunities action_redirect_to_mailing_sms "
        "action_redirect_to_quotations"
    ),
}
# Those with a page on the website, which `open_website_url` opens. A transfer's button of that name is none of them: it
# opens the carrier's page and posts a message.
_ON_WEBSITE: Final = (
    "blog.post event.event event.meeting.room event.sponsor event.track forum.forum gamification.badge hr.job "
    "im_livechat.channel product.product product.template res.partner res.partner.grade res.users slide.channel "
    "slide.slide website.controller.page website.page website.technical.page"
)
READ_BUTTONS: Final = frozenset(
    {(model, name) for model, names in _OF_MODELS.items() for name in names.split()}
    | {(model, "open_website_url") for model in _ON_WEBSITE.split()}
)
"""The buttons that may be pressed, as model and method."""
WRITING_CONTEXT: Final = frozenset({"generate_milestone"})
"""Names in a context that make one of them write: ``project.project/action_view_tasks`` makes a milestone."""
CUSTOMER_PAGES: Final = {
    ("account.move", "preview_invoice"): "/my/invoices/",
    ("project.project", "action_customer_preview"): "/my/projects/",
    ("sale.order", "action_preview_sale_order"): "/my/orders/",
}
"""Buttons that make a token and open a record's page for its customer with it: the page, before the record's id."""
