# The extension points: each file holds one deficient type a sentence, in the order of the sentences below.

# comodal_compile_sentences(<name> <sentence>...): all of the sentences come, one after the other; each is an error of its own.
function(comodal_compile_sentences name)
  list(TRANSFORM ARGN PREPEND "error: [^\n]*comodal: ")
  list(JOIN ARGN ".*" regex)
  comodal_compile_fail(${name} "${regex}")
endfunction()

comodal_compile_sentences(fusion_block
  "there is no fusion_block for this tag"
  "a fusion_block needs a constructor from"
  "a fusion_block needs a member fuse"
  "fuse\\(\\) of a fusion_block must return variable<Backend>"
  "a fusion_block needs a member fuse")
comodal_compile_sentences(modality_encoder
  "a modality_encoder needs a member stages"
  "a modality_encoder needs a member channels"
  "encode_stage\\(\\) of a modality_encoder must return variable<Backend>"
  "a modality_encoder needs a member encode_stage")
comodal_compile_sentences(decoder
  "decode\\(\\) of a decoder must return"
  "a decoder needs a member decode")
comodal_compile_sentences(segmentation_network
  "a segmentation_network needs a member forward"
  "a segmentation_network needs a member modalities"
  "a segmentation_network needs a member parameters"
  "a member of this segmentation_network has another return type")
comodal_compile_sentences(contrastive_loss
  "operator\\(\\) of a contrastive_loss must return variable<Backend>"
  "a contrastive_loss needs operator\\(\\)")
comodal_compile_sentences(semi_supervised_method
  "a semi_supervised_method needs a member step"
  "a semi_supervised_method needs a member after_update"
  "a semi_supervised_method needs a member parameters"
  "a semi_supervised_method needs a member averaged"
  "a semi_supervised_method needs a member save"
  "a semi_supervised_method needs a member load"
  "a member of this semi_supervised_method has another return type"
  "a semi_supervised_method needs a member predict")
