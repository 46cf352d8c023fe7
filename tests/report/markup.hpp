// SPDX-License-Identifier: Apache-2.0
/// @file
/// Whether HTML is well-formed, and whether it reaches outside.
#ifndef COMODAL_TESTS_REPORT_MARKUP_HPP
#define COMODAL_TESTS_REPORT_MARKUP_HPP

#include <algorithm>
#include <string>
#include <vector>

namespace comodal::tests {

/// How often a text stands in another.
inline std::size_t count(const std::string& in, const std::string& what) {
  std::size_t number = 0;
  for (std::size_t at = 0; (at = in.find(what, at)) != std::string::npos; at += what.size()) ++number;
  return number;
}

/// The first place where tags do not balance, attributes are not quoted or a bare & or < stands in text; empty if all
/// is well. Styles and scripts are not looked into.
inline std::string malformed(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < html.size();) {
    if (html[at] == '&') {
      const std::size_t end = html.find(';', at);
      if (end == std::string::npos || end - at > 6) return "bare & at " + html.substr(at, 30);
    }
    if (html[at] == '>') return "bare > at " + html.substr(at, 30);
    if (html[at] != '<') {
      ++at;
      continue;
    }
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return "unclosed tag";
    const std::string tag = html.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag[0] == '!') continue;
    if (tag.find('<') != std::string::npos) return "< inside " + tag;
    if (std::count(tag.begin(), tag.end(), '"') % 2) return "quotes of " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag[0] == '/') {
      if (open.empty() || "/" + open.back() != tag) return tag + " closes nothing";
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
      if (name == "style" || name == "script") at = html.find("</" + name + ">", at);
      if (at == std::string::npos) return name + " stays open";
    }
  }
  return open.empty() ? "" : open.back() + " stays open";
}

/// A reference to something outside the file, if there is one.
inline std::string outside_reference(const std::string& html) {
  for (const char* attribute : {"src=\"", "href=\"", "url(", "@import", "fetch(", "XMLHttpRequest", "import("})
    for (std::size_t at = 0; (at = html.find(attribute, at)) != std::string::npos; ++at) {
      const std::string target = html.substr(at + std::string(attribute).size(), 30);
      if (target.rfind("data:", 0) != 0 && target.rfind("#", 0) != 0) return attribute + target;
    }
  return "";
}

}  // namespace comodal::tests

#endif
