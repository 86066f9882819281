/* The style of the page of `farmd load --html`, which carries it within. */
    .section .rodata
    .global load_report_css
    .global load_report_css_end
    .balign 16
load_report_css:
    .incbin "supervisor/cli/load/report.css"
load_report_css_end:
    .byte 0

    .section .note.GNU-stack, "", @progbits
