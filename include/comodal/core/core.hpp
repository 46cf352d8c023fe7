// SPDX-License-Identifier: Apache-2.0
/// @file
/// The whole layer `core`: runtime, context, execution spaces and loops, tensors, random streams, errors.
#ifndef COMODAL_CORE_CORE_HPP
#define COMODAL_CORE_CORE_HPP

#include <comodal/core/any_options.hpp>
#include <comodal/core/backend.hpp>
#include <comodal/core/bfloat16.hpp>
#include <comodal/core/communicator.hpp>
#include <comodal/core/compiled.hpp>
#include <comodal/core/config.hpp>
#include <comodal/core/context.hpp>
#include <comodal/core/context_base.hpp>
#include <comodal/core/device_api.hpp>
#include <comodal/core/engines.hpp>
#include <comodal/core/error.hpp>
#include <comodal/core/file_lock.hpp>
#include <comodal/core/generic.hpp>
#include <comodal/core/host_tasks.hpp>
#include <comodal/core/kokkos.hpp>
#include <comodal/core/ladder.hpp>
#include <comodal/core/loops.hpp>
#include <comodal/core/machine_memory.hpp>
#include <comodal/core/memory.hpp>
#include <comodal/core/name_table.hpp>
#include <comodal/core/nearest_name.hpp>
#include <comodal/core/option_range.hpp>
#include <comodal/core/plan.hpp>
#include <comodal/core/processor.hpp>
#include <comodal/core/processor_check.hpp>
#include <comodal/core/profile.hpp>
#include <comodal/core/random.hpp>
#include <comodal/core/readable_name.hpp>
#include <comodal/core/recording.hpp>
#include <comodal/core/renamed_options.hpp>
#include <comodal/core/row_sums.hpp>
#include <comodal/core/runtime.hpp>
#include <comodal/core/shape.hpp>
#include <comodal/core/step_block.hpp>
#include <comodal/core/teams.hpp>
#include <comodal/core/tensor.hpp>
#include <comodal/core/upload.hpp>
#include <comodal/core/vector_math.hpp>

#endif
