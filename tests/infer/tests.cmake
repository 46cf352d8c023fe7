comodal_test(infer/sliding_window)
