"""A report as files: results.json, report.md, figures and the page."""
