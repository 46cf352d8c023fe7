// SPDX-License-Identifier: Apache-2.0
/// @file
/// The engines that this build has, but the reference engine, which is an include of its own.
#ifndef COMODAL_ENGINE_ENGINES_HPP
#define COMODAL_ENGINE_ENGINES_HPP

#include <comodal/engine/amx/amx.hpp>
#include <comodal/engine/device/device.hpp>
#include <comodal/engine/host/host.hpp>

#include COMODAL_IMPL_DEVICE_VENDOR_HEADER  // cudnn/, where it is compiled in
#include COMODAL_IMPL_HOST_VENDOR_HEADER    // onednn/, where it is compiled in

#endif
