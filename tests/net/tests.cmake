# Golden numbers and masks of commit 9e21811 (reference/net/README.txt), which no later change may move.
comodal_test(net/first_steps LIBRARIES comodal::compiled_mixed)
comodal_test(net/model_files LIBRARIES comodal::compiled_mixed)
