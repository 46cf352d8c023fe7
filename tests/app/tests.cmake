# The verbs and the registry; the command line is tried by tests/cli.
comodal_test(app/settings)
comodal_test(app/import)
comodal_test(app/plan LIBRARIES comodal::compiled_cli)
comodal_test(app/verbs LIBRARIES comodal::compiled_cli)
comodal_test(app/registry LIBRARIES comodal::compiled_cli)
comodal_test(app/uncertainty LIBRARIES comodal::compiled_cli)
comodal_test(app/study LIBRARIES comodal::compiled_cli)
comodal_test(app/run_study LIBRARIES comodal::compiled_cli)
