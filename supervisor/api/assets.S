/* Files that farmd carries within itself: the page, its script and style, the API's description. */
    .section .rodata

    .macro asset name, path
    .global asset_\name
    .global asset_\name\()_end
    .balign 16
asset_\name:
    .incbin "\path"
asset_\name\()_end:
    .byte 0
    .endm

    asset index_html, "web/fallback/index.html"
    asset docs_html, "web/fallback/docs.html"
    asset app_js, "web/fallback/app.js"
    asset style_css, "web/fallback/style.css"
    asset openapi_json, "docs/openapi.json"
