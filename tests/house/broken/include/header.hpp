// docs/page.md exists, docs/gone.md does not.
