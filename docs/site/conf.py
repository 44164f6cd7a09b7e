# SPDX-License-Identifier: Apache-2.0
"""Settings of Sphinx for scripts/docs, which gives version and title on its command line."""

project = "namid"
extensions = ["myst_parser"]
myst_heading_anchors = 4
highlight_language = "none"
language = "en"

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["namid.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
# Search works from file://, where a page cannot fetch the others to show excerpts.
html_show_search_summary = False
html_theme_options = {"navigation_with_keys": False, "top_of_page_buttons": []}
smartquotes = False
pygments_style = "default"
pygments_dark_style = "github-dark"
