# The extension points: each file holds one deficient type a sentence, in the order of the sentences below.

# comodal_compile_sentences(<name> <sentence>...): the compiler says these sentences (regular expressions), each in an
# error of its own, in this order, and no further one: only the first requirement that a type misses speaks.
function(comodal_compile_sentences name)
  comodal_compile_object(${name})
  set(file "${CMAKE_CURRENT_BINARY_DIR}/compile-fail/${name}.txt")
  list(JOIN ARGN "\n" lines)
  file(WRITE "${file}" "${lines}\n")
  add_test(NAME compile-fail.${name} COMMAND "${CMAKE_COMMAND}" -D FOLDER=${CMAKE_BINARY_DIR} -D CONFIG=$<CONFIG>
    -D TARGET=compile_fail_${name} -D SENTENCES=${file} -P "${CMAKE_CURRENT_SOURCE_DIR}/compile-fail/sentences.cmake")
  set_tests_properties(compile-fail.${name} PROPERTIES RESOURCE_LOCK comodal_build_folder TIMEOUT 300)
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
comodal_compile_sentences(fusion_stage
  "a fusion_stage needs a member fuse"
  "a fusion_stage needs a member enhance"
  "fuse\\(\\) of a fusion_stage must return variable<Backend>, enhance\\(\\) a std::vector"
  "fuse\\(\\) of a fusion_stage must return variable<Backend>, enhance\\(\\) a std::vector")
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
comodal_compile_sentences(segmentation_loss
  "a segmentation_loss needs operator\\(\\)"
  "operator\\(\\) of a segmentation_loss must return variable<Backend>")
comodal_compile_sentences(consistency_loss
  "a consistency_loss needs operator\\(\\)"
  "operator\\(\\) of a consistency_loss must return variable<Backend>")
comodal_compile_sentences(optimiser
  "an optimiser needs a member save"
  "an optimiser needs a member load"
  "update\\(\\) of an optimiser must return variable<Backend>"
  "an optimiser needs a member update")
comodal_compile_sentences(volume_transform
  "a volume_transform must be copyable"
  "a volume_transform needs operator\\(\\)"
  "the operator\\(\\) of a volume_transform must be const"
  "this type is no volume_transform: its operator\\(\\) must return void"
  "a volume_transform needs operator\\(\\)")
comodal_compile_sentences(cohort_reader
  "a cohort_reader needs a static function layout"
  "a cohort_reader needs a static function recognises"
  "a cohort_reader needs a const member function list")
comodal_compile_sentences(tensor_backend
  "a tensor_backend needs a member type space_type"
  "a tensor_backend needs a member type scalar_type"
  "a tensor_backend needs a member type engines_type"
  "this type is no tensor_backend")
comodal_compile_sentences(semi_supervised_method
  "a semi_supervised_method needs a member views"
  "a semi_supervised_method needs a member step"
  "a semi_supervised_method needs a member trained"
  "a semi_supervised_method needs a member predictors"
  "a semi_supervised_method needs a member save"
  "a semi_supervised_method needs a member load"
  "after_update of a semi_supervised_method must take"
  "on_validation of a semi_supervised_method must take"
  "between_rounds of a semi_supervised_method must take"
  "step\\(\\) of a semi_supervised_method must return named_scalars<Backend>")
comodal_compile_sentences(engine_op
  "an engine_op needs a member type plan_type with a member plan_facts facts"
  "an engine_op needs a static function void run"
  "an engine_op that derives from ready_op is asked nothing"
  "an engine_op that derives from ready_op is asked nothing"
  "an engine_op needs a static function bool prefers"
  "an engine_op needs static functions support supports")
comodal_compile_sentences(communicator
  "a communicator needs members rank"
  "a communicator needs a member mean"
  "a communicator needs a member broadcast"
  "rank\\(\\) and size\\(\\) of a communicator return integers")
comodal_compile_sentences(named_method
  "a registry takes a class template over the back end as comodal::generic"
  "a method that is made by name needs a constructor from"
  "a struct of options needs a static function template visit"
  "a method with an options_type that is made by name needs a constructor")
