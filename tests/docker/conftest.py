"""Says why nothing ran where a Docker Engine cannot be had."""

from engine import wanting


def pytest_report_header():
    return f"docker: {wanting()}: nothing is tested" if wanting() else "docker: a private Engine"
