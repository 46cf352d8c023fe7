// SPDX-License-Identifier: Apache-2.0
/// @file
/// Templates that a library has compiled once, so that programs need not compile them again (CMake's
/// `comodal::compiled`, `comodal::compiled_double` and `comodal::compiled_mixed`).
/// Measured in bench/history/2026-11-27-compile-time.md.
///
/// A header lists its functions in a macro `LIST(kind, Backend)`, `kind` being `template` or `extern template`, and
/// ends with `COMODAL_COMPILED_ELSEWHERE(LIST)`, which declares them for the back ends whose library the program links.
/// Without one of the three it declares nothing, and all is compiled from the headers. What networks are made of is
/// also listed for the bfloat16 partner of the mixed back end, by `COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER`.
/// `COMODAL_CLI_ELSEWHERE` does the same for the command line (`comodal::compiled_cli`).
#ifndef COMODAL_CORE_COMPILED_HPP
#define COMODAL_CORE_COMPILED_HPP

#include <comodal/core/backend.hpp>

#ifdef COMODAL_COMPILED_DEFAULT
#define COMODAL_IMPL_ELSEWHERE_DEFAULT(LIST) LIST(extern template, default_backend)
#else
#define COMODAL_IMPL_ELSEWHERE_DEFAULT(LIST)
#endif
#ifdef COMODAL_COMPILED_DOUBLE
#define COMODAL_IMPL_ELSEWHERE_DOUBLE(LIST) LIST(extern template, double_backend)
#else
#define COMODAL_IMPL_ELSEWHERE_DOUBLE(LIST)
#endif
#ifdef COMODAL_COMPILED_MIXED
#define COMODAL_IMPL_ELSEWHERE_MIXED(LIST) LIST(extern template, mixed_backend)
#define COMODAL_IMPL_ELSEWHERE_PARTNER(LIST) LIST(extern template, bfloat16_backend<mixed_backend>)
#else
#define COMODAL_IMPL_ELSEWHERE_MIXED(LIST)
#define COMODAL_IMPL_ELSEWHERE_PARTNER(LIST)
#endif

#ifdef COMODAL_COMPILED_CLI
#define COMODAL_CLI_ELSEWHERE(LIST) LIST(extern template, mixed_backend)
#else
#define COMODAL_CLI_ELSEWHERE(LIST)
#endif

#define COMODAL_COMPILED_ELSEWHERE(LIST) \
  COMODAL_IMPL_ELSEWHERE_DEFAULT(LIST) COMODAL_IMPL_ELSEWHERE_DOUBLE(LIST) COMODAL_IMPL_ELSEWHERE_MIXED(LIST)
#define COMODAL_COMPILED_ELSEWHERE_WITH_PARTNER(LIST) \
  COMODAL_COMPILED_ELSEWHERE(LIST) COMODAL_IMPL_ELSEWHERE_PARTNER(LIST)

#endif
