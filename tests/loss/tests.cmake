comodal_test(loss/segmentation_loss)
comodal_test(loss/consistency_loss)
comodal_test(loss/contrastive_loss)
comodal_test(loss/channel_contrast)
