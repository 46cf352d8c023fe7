// SPDX-License-Identifier: Apache-2.0
/// @file
/// A report as one HTML file that needs nothing else: style, plots and pictures are inside, no script, no link.
/// Well-formed XML.
#ifndef COMODAL_REPORT_HTML_HPP
#define COMODAL_REPORT_HTML_HPP

#include <comodal/metric/tables.hpp>
#include <comodal/report/curves.hpp>
#include <comodal/report/overlay.hpp>

#include <filesystem>
#include <iomanip>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// Text for HTML, in elements and attributes: & < > " ' become entities, control characters blanks.
[[nodiscard]] inline std::string escape_html(std::string_view words) {
  std::string out;
  for (const char c : words) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < ' ' && c != '\n' ? ' ' : c;
    }
  }
  return out;
}

/// Builds a report part by part and writes it. Parts appear in the order in which they are added; warnings stand at the
/// top.
class html_report {
 public:
  /// What every report begins with.
  static constexpr std::string_view first_words =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\" />\n<meta name=\"viewport\"";

  explicit html_report(std::string title) : m_title(std::move(title)) {}

  /// A heading; the parts that follow belong to it.
  void heading(std::string_view words) { m_body += text("<h2>", escape_html(words), "</h2>\n"); }

  /// A paragraph of plain text.
  void paragraph(std::string_view words) { m_body += text("<p>", escape_html(words), "</p>\n"); }

  /// Names and values that describe the run: data, seed, options, versions.
  void facts(const std::vector<std::pair<std::string, std::string>>& list) {
    m_body += "<table class=\"facts\"><tbody>\n";
    for (const auto& [name, value] : list)
      m_body += text("<tr><th>", escape_html(name), "</th><td>", escape_html(value), "</td></tr>\n");
    m_body += "</tbody></table>\n";
  }

  /// A table; with `summary`, folded away behind that line.
  void table(const text_table& t, std::string_view summary = {}) {
    if (!summary.empty()) m_body += text("<details><summary>", escape_html(summary), "</summary>\n");
    m_body += "<div class=\"wide\"><table><thead><tr>";
    for (std::size_t c = 0; c < t.header.size(); ++c) {
      const bool number = !t.rows.empty() && c < t.rows[0].size() && numeric(t.rows[0][c]);
      m_body += text("<th", number ? " class=\"number\"" : "", ">", escape_html(t.header[c]), "</th>");
    }
    m_body += "</tr></thead><tbody>\n";
    for (const auto& row : t.rows) {
      m_body += "<tr>";
      for (const std::string& cell : row)
        m_body += text("<td", numeric(cell) ? " class=\"number\"" : "", ">", escape_html(cell), "</td>");
      m_body += "</tr>\n";
    }
    m_body += "</tbody></table></div>\n";
    if (!summary.empty()) m_body += "</details>\n";
  }

  /// Scores: the summary by output and class, the conventions, and the table of cases, folded.
  void scores(const std::vector<case_score>& list, const score_options& options = {}) {
    table(summary_table(list, options));
    paragraph(text("Mean ± standard deviation over cases. ", describe_conventions(options), "."));
    text_table cases = case_table(list, options);
    for (std::size_t r = 0; r < cases.rows.size(); ++r) {
      const case_score& s = list[r];
      const double shown[] = {s.dice, s.iou, s.hd95, s.assd, s.surface_dice, s.predicted_volume, s.reference_volume};
      for (std::size_t c = 0; c < 7; ++c)
        cases.rows[r][3 + c] = text(std::fixed, std::setprecision(c < 2 || c == 4 ? 4 : 2), shown[c]);
    }
    table(cases, text("All ", list.size(), " scores, case by case"));
  }

  /// A plot, or the line that says why it is missing; then the warning is listed as well.
  void curve(const curve_figure& figure) {
    if (figure.svg.empty()) {
      m_body += text("<p class=\"warning\">", escape_html(figure.warning), "</p>\n");
      warning(figure.warning);
      return;
    }
    m_body += text("<figure><img alt=\"", escape_html(figure.title), "\" src=\"data:image/svg+xml;base64,",
                   base64({reinterpret_cast<const unsigned char*>(figure.svg.data()), figure.svg.size()}),
                   "\" /></figure>\n");
  }

  /// A picture with its caption.
  void overlay(const overlay_figure& figure) {
    m_body +=
        text("<figure><img alt=\"", escape_html(figure.caption), "\" width=\"", figure.image.width(), "\" height=\"",
             figure.image.height(), "\" src=\"data:image/png;base64,", base64(encode_png(figure.image)),
             "\" /><figcaption>", escape_html(figure.caption), "</figcaption></figure>\n");
  }

  /// Something that the reader must know; listed at the top.
  void warning(std::string words) { m_warnings.push_back(std::move(words)); }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return m_warnings; }

  /// The whole document.
  [[nodiscard]] std::string to_string() const {
    std::string listed;
    if (!m_warnings.empty()) {
      listed = "<section class=\"warning\"><h2>Warnings</h2><ul>\n";
      for (const std::string& w : m_warnings) listed += text("<li>", escape_html(w), "</li>\n");
      listed += "</ul></section>\n";
    }
    const std::string title = escape_html(m_title);
    return text(first_words, " content=\"width=device-width, initial-scale=1\" />\n<title>", title, "</title>\n<style>",
                style(), "</style></head>\n<body><main>\n<h1>", title, "</h1>\n", listed, m_body,
                "<footer>Made by comodal ", COMODAL_VERSION,
                ". For research only: not a medical device, and not for diagnosis or treatment.",
                "</footer>\n</main></body></html>\n");
  }

  /// Writes the document in one step. @throws io_error if it cannot be written
  void write(const std::filesystem::path& path) const { write_text(path, to_string()); }

 private:
  static bool numeric(const std::string& cell) {
    return !cell.empty() && cell.find_first_not_of("0123456789.+-e ±/") == std::string::npos;
  }
  static std::string_view style() {
    return R"(
:root { color-scheme: light dark; --ink: #1a1a1a; --back: #ffffff; --soft: #f2f3f5; --line: #cccfd4; --alert: #8a3b00; --alert-back: #fff1e0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --back: #17181a; --soft: #24262a; --line: #45484e; --alert: #ffc58a; --alert-back: #3a2a18; }
}
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 90rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
h1 { font-size: 1.7rem; margin: 0.6rem 0 1rem; }
h2 { font-size: 1.25rem; margin: 1.8rem 0 0.6rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.5rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
.facts td { white-space: normal; }
thead th { background: var(--soft); }
.number { text-align: right; }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; border-radius: 4px; }
figcaption, footer { font-size: 0.9em; opacity: 0.85; }
summary { cursor: pointer; margin: 0.6rem 0; }
.warning { color: var(--alert); background: var(--alert-back); padding: 0.5rem 1rem; border-radius: 4px; }
.warning h2 { border: 0; margin: 0.3rem 0; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 0.6rem; }
)";
  }

  std::string m_title;
  std::string m_body;
  std::vector<std::string> m_warnings;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
