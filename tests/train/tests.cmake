comodal_test(train/optimiser)
