comodal_test(nn/arena)
comodal_test(nn/parameters)
comodal_test(nn/layers)
