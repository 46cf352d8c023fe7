comodal_test(ssl/targets)
comodal_test(ssl/methods)
comodal_test(ssl/contrastive_mutual_learning)
comodal_test(ssl/determinism)
