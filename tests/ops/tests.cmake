comodal_test(ops/conv3d)
comodal_test(ops/elementwise)
