comodal_test(ssl/targets)
comodal_test(ssl/device_batch)
comodal_test(ssl/parts)
comodal_test(ssl/methods)
comodal_test(ssl/contrastive_mutual_learning)
comodal_test(ssl/determinism)
# Two threads on a busy machine would spin for each other through every small loop.
set_tests_properties(ssl.determinism PROPERTIES ENVIRONMENT OMP_WAIT_POLICY=passive)
