comodal_test(train/optimiser)
comodal_test(train/trainer)
comodal_test(train/allocations)
comodal_test(train/memory_budget)
