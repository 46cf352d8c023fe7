comodal_test(infer/sliding_window)
comodal_test(infer/predict_case)
