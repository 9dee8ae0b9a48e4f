"""Gradio's theme, with every colour and size handed to the variables of `assets/nudge.css`, where the look is kept."""

from __future__ import annotations

import gradio as gr

SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace"]

_CLEAR = "transparent"
_BY_ENDING = [  # the first ending that fits decides what a setting of the theme becomes
    ("shadow", "none"),
    ("shadow_hover", "none"),
    ("shadow_active", "none"),
    ("shadow_focus", "none"),
    ("radius", "var(--radius)"),
    ("right_radius", "var(--radius)"),
    ("text_size", "var(--text)"),
    ("text_weight", "400"),
]
_EXACT = {
    "body_background_fill": "var(--paper)",
    "body_text_color": "var(--ink)",
    "body_text_color_subdued": "var(--ink-soft)",
    "background_fill_primary": "var(--paper)",
    "background_fill_secondary": "var(--paper)",
    "border_color_primary": "var(--line)",
    "border_color_accent": "var(--ink)",
    "border_color_accent_subdued": "var(--line)",
    "color_accent": "var(--accent)",
    "color_accent_soft": "var(--tint)",
    "accordion_text_color": "var(--ink)",
    "table_text_color": "var(--ink)",
    "block_background_fill": _CLEAR,
    "block_border_width": "0px",
    "block_padding": "0px",
    "block_label_background_fill": _CLEAR,
    "block_label_border_width": "0px",
    "block_label_text_color": "var(--ink)",
    "block_label_text_size": "var(--text-small)",
    "block_label_padding": "0px",
    "block_title_text_color": "var(--ink)",
    "block_title_text_size": "var(--text-small)",
    "block_title_padding": "0px",
    "block_info_text_color": "var(--ink-soft)",
    "block_info_text_size": "var(--text-small)",
    "form_gap_width": "0px",
    "layout_gap": "1rem",
    "panel_background_fill": _CLEAR,
    "panel_border_width": "0px",
    "section_header_text_size": "var(--text)",
    "section_header_text_weight": "600",
    "prose_header_text_weight": "600",
    "code_background_fill": "var(--tint)",
    "input_background_fill": "var(--field)",
    "input_background_fill_focus": "var(--field)",
    "input_background_fill_hover": "var(--field)",
    "input_border_color": "var(--line-strong)",
    "input_border_color_focus": "var(--accent)",
    "input_border_color_hover": "var(--ink)",
    "input_border_width": "1px",
    "input_padding": "0.4rem 0.55rem",
    "input_placeholder_color": "var(--ink-soft)",
    "checkbox_background_color": "var(--field)",
    "checkbox_background_color_focus": "var(--field)",
    "checkbox_background_color_hover": "var(--field)",
    "checkbox_background_color_selected": "var(--accent)",
    "checkbox_border_color": "var(--line-strong)",
    "checkbox_border_color_focus": "var(--accent)",
    "checkbox_border_color_hover": "var(--ink)",
    "checkbox_border_color_selected": "var(--accent)",
    "checkbox_label_background_fill": _CLEAR,
    "checkbox_label_background_fill_hover": _CLEAR,
    "checkbox_label_background_fill_selected": _CLEAR,
    "checkbox_label_border_width": "0px",
    "checkbox_label_padding": "0.15rem 0.3rem 0.15rem 0",
    "checkbox_label_text_color": "var(--ink)",
    "checkbox_label_text_color_selected": "var(--ink)",
    "error_background_fill": "var(--paper)",
    "error_border_color": "var(--bad)",
    "error_text_color": "var(--bad)",
    "error_icon_color": "var(--bad)",
    "link_text_color": "var(--accent)",
    "link_text_color_active": "var(--accent)",
    "link_text_color_hover": "var(--ink)",
    "link_text_color_visited": "var(--accent)",
    "loader_color": "var(--accent)",
    "slider_color": "var(--ink)",
    "stat_background_fill": "var(--accent)",
    "table_border_color": "var(--line)",
    "table_even_background_fill": "var(--paper)",
    "table_odd_background_fill": "var(--paper)",
    "table_row_focus": "var(--tint)",
    "button_border_width": "1px",
    "button_transform_hover": "none",
    "button_transform_active": "none",
    "button_primary_background_fill": "var(--ink)",
    "button_primary_background_fill_hover": "var(--accent)",
    "button_primary_border_color": "var(--ink)",
    "button_primary_border_color_hover": "var(--accent)",
    "button_primary_text_color": "var(--paper)",
    "button_primary_text_color_hover": "var(--paper)",
    "button_secondary_background_fill": _CLEAR,
    "button_secondary_background_fill_hover": "var(--tint)",
    "button_secondary_border_color": "var(--line-strong)",
    "button_secondary_border_color_hover": "var(--ink)",
    "button_secondary_text_color": "var(--ink)",
    "button_secondary_text_color_hover": "var(--ink)",
    "button_cancel_background_fill": _CLEAR,
    "button_cancel_background_fill_hover": "var(--bad)",
    "button_cancel_border_color": "var(--bad)",
    "button_cancel_border_color_hover": "var(--bad)",
    "button_cancel_text_color": "var(--bad)",
    "button_cancel_text_color_hover": "var(--paper)",
    "button_large_padding": "0.5rem 1rem",
    "button_medium_padding": "0.4rem 0.8rem",
    "button_small_padding": "0.2rem 0.5rem",
    "radius_xxs": "0px",
    "radius_xs": "0px",
    "radius_sm": "2px",
    "radius_md": "2px",
    "radius_lg": "2px",
    "radius_xl": "2px",
    "radius_xxl": "2px",
    "text_xxs": "var(--text-small)",
    "text_xs": "var(--text-small)",
    "text_sm": "var(--text-small)",
    "text_md": "var(--text)",
    "text_lg": "var(--text)",
    "text_xl": "var(--text-large)",
    "text_xxl": "var(--text-large)",
}


def paper_and_ink() -> gr.themes.Base:
    """The theme of the app: the system's own fonts, and our variables for everything that has a colour."""
    theme = gr.themes.Base(font=SANS, font_mono=MONO)
    for name in [name for name in vars(theme) if not name.startswith("_")]:
        if name.endswith("_dark"):
            delattr(theme, name)  # nudge.css changes the variables themselves in the dark
        elif name in _EXACT:
            setattr(theme, name, _EXACT[name])
        else:
            for ending, value in _BY_ENDING:
                if name.endswith(ending):
                    setattr(theme, name, value)
                    break
    return theme
