// SPDX-License-Identifier: Apache-2.0
/// @file
/// Any struct of options behind one type: its values by key, and its checks.
#ifndef COMODAL_CORE_ANY_OPTIONS_HPP
#define COMODAL_CORE_ANY_OPTIONS_HPP

#include <comodal/core/error.hpp>
#include <comodal/core/ladder.hpp>
#include <comodal/core/shape.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// A value of an options struct: all types that such a value may have.
using option_pointer = std::variant<bool*, index*, double*, std::string*, std::vector<index>*, std::vector<double>*,
                                    std::vector<std::string>*>;

/// No options at all.
struct no_options {
  template <class Options, class Visit>
  static void visit(Options&, Visit&&) {}
  void check() const {}
};

namespace detail {

struct takes_any_value {
  template <class T>
  void operator()(std::string_view, T&, std::string_view = {}) const {}
};

// Visits with pointers; a value of another type is refused when compiled, in words.
template <class Visit>
struct visits_pointers {
  const Visit& visit;
  template <class T>
  void operator()(std::string_view key, T& value, std::string_view help = {}) const {
    if constexpr (std::is_constructible_v<option_pointer, T*>)
      visit(key, option_pointer(&value), help);
    else
      static_assert(never<T>,
                    "comodal: a value of an options struct is bool, comodal::index, double, std::string, or a "
                    "std::vector of them");
  }
};

}  // namespace detail

/// A struct of options with defaults: copyable, with `static void visit(options, f)` that calls `f(key, value, help)`
/// for every value, and `check()` that throws config_error naming the key that makes no sense. `help` is a sentence
/// that `comodal train --help` shows beside the key; it may be left out.
template <class T>
concept options_struct = std::default_initializable<T> && std::copyable<T> && requires(T& options, const T& fixed) {
  T::visit(options, detail::takes_any_value{});
  fixed.check();
};

/// Says in plain words what a struct of options lacks; only the first that is missing speaks.
template <class T>
constexpr void check_options_struct() {
  if constexpr (!std::default_initializable<T> || !std::copyable<T>)
    static_assert(detail::never<T>, "comodal: a struct of options needs a default for every value, and to be copyable");
  else if constexpr (!requires(T& options) { T::visit(options, detail::takes_any_value{}); })
    static_assert(detail::never<T>,
                  "comodal: a struct of options needs a static function template visit(options, f) that calls "
                  "f(std::string_view key, value, std::string_view help) for every value");
  else if constexpr (!options_struct<T>)
    static_assert(detail::never<T>,
                  "comodal: a struct of options needs a member check() const that throws comodal::config_error naming "
                  "the key that makes no sense");
}

/// Any struct of options; copies are independent.
class any_options {
 public:
  any_options() : any_options(no_options{}) {}
  template <class Options>
    requires(!std::same_as<Options, any_options>)
  explicit any_options(Options options) : m_options(std::make_unique<model<Options>>(std::move(options))) {
    check_options_struct<Options>();
  }
  any_options(const any_options& other) : m_options(other.m_options->copy()) {}
  any_options(any_options&&) noexcept = default;
  any_options& operator=(any_options other) noexcept {
    m_options = std::move(other.m_options);
    return *this;
  }

  /// What is called for every value: key, pointer, and what it means; empty if nobody says it.
  using visitor = std::function<void(std::string_view key, option_pointer value, std::string_view help)>;
  /// Calls `f` for every value.
  void visit(const visitor& f) { m_options->visit(f); }
  /// @throws config_error naming the key that makes no sense
  void check() const { m_options->check(); }
  /// The struct itself; a null pointer if it is of another type.
  template <class Options>
  [[nodiscard]] const Options* get_if() const {
    const auto* held = dynamic_cast<const model<Options>*>(m_options.get());
    return held == nullptr ? nullptr : &held->options;
  }
  /// Sets a value, if there is one of that key and type. @return whether there is
  template <class T>
  bool set(std::string_view key, const T& value) {
    bool found = false;
    visit([&](std::string_view name, option_pointer at, std::string_view) {
      if (name != key) return;
      if (auto* place = std::get_if<T*>(&at)) {
        **place = value;
        found = true;
      }
    });
    return found;
  }

 private:
  struct interface {
    virtual ~interface() = default;
    virtual std::unique_ptr<interface> copy() const = 0;
    virtual void visit(const visitor&) = 0;
    virtual void check() const = 0;
  };
  template <class Options>
  struct model final : interface {
    explicit model(Options o) : options(std::move(o)) {}
    std::unique_ptr<interface> copy() const override { return std::make_unique<model>(options); }
    void visit(const visitor& f) override { Options::visit(options, detail::visits_pointers<visitor>{f}); }
    void check() const override { options.check(); }
    Options options;
  };
  std::unique_ptr<interface> m_options;
};

/// Something that is chosen by name, with its options: a method, a loss.
struct named_options {
  std::string name;
  any_options values{};  // none: the defaults of what the name stands for

  named_options(std::string chosen, any_options options = {}) : name(std::move(chosen)), values(std::move(options)) {}
  named_options(const char* chosen) : name(chosen) {}
  /// Options that name what they belong to: `Options::name`.
  template <class Options>
    requires requires { std::string_view(Options::name); }
  named_options(Options options) : name(Options::name), values(std::move(options)) {}
};

/// The options of `chosen` as what its name stands for takes them; the defaults where `chosen` has none.
/// @param key the table of the options, for the message: "method.mean_teacher"
/// @throws config_error for options of another type
template <class Options>
[[nodiscard]] Options options_as(const any_options& chosen, std::string_view key) {
  if (const auto* given = chosen.get_if<Options>()) return *given;
  if (chosen.get_if<no_options>() != nullptr) return Options{};
  throw config_error(text(key, ": was given the options of something else"));
}

}  // namespace comodal::inline COMODAL_CONFIG

#endif
