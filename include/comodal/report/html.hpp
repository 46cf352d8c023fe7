// SPDX-License-Identifier: Apache-2.0
/// @file
/// A report as one HTML file that needs nothing else: style, plots, pictures and script are inside, and nothing is
/// loaded. Well-formed XML.
#ifndef COMODAL_REPORT_HTML_HPP
#define COMODAL_REPORT_HTML_HPP

#include <comodal/metric/tables.hpp>
#include <comodal/report/escape.hpp>
#include <comodal/report/page_style.hpp>
#include <comodal/report/plot.hpp>
#include <comodal/report/viewer_script.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace comodal::inline COMODAL_CONFIG {

/// What made a report, when and where. What is empty is left out.
struct report_head {
  std::string version = COMODAL_VERSION, commit = {}, date = {}, host = {}, command = {};
};

/// Builds a report part by part and writes it. Parts appear in the order in which they are added; head, notes,
/// warnings and contents stand at the top.
class html_report {
 public:
  /// What every report begins with.
  static constexpr std::string_view first_words =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\" />\n<meta name=\"viewport\"";

  explicit html_report(std::string title, report_head head = {}) : m_title(std::move(title)), m_head(std::move(head)) {}

  /// A heading, listed in the contents; the parts that follow belong to it.
  void heading(std::string_view words) {
    const std::string id = text("part-", ++m_headings);
    content(id, words);
    m_body += text("<h2 id=\"", id, "\">", escape_html(words), "</h2>\n");
  }
  /// A further line of the contents, for a part with this id. @param id letters, digits and hyphens
  void content(std::string_view id, std::string_view words) {
    m_contents += text("<li><a href=\"#", id, "\">", escape_html(words), "</a></li>\n");
  }

  /// Something that holds for the whole page; below its head.
  void note(std::string_view words) { m_notes += text("<p>", escape_html(words), "</p>\n"); }

  /// How to read what stands before.
  void reading(std::string_view words) {
    m_body += text("<p class=\"read\"><b>How to read this.</b> ", escape_html(words), "</p>\n");
  }

  /// Names and values that describe something. What has no value is left out.
  void facts(const std::vector<std::pair<std::string, std::string>>& list) { m_body += listed(list); }

  /// A table with its caption; folded: behind a line that has the caption's words.
  void table(const text_table& t, std::string_view caption, bool folded = false) {
    const std::string words = escape_html(caption);
    if (folded) m_body += text("<details><summary>", words, "</summary>\n");
    // It scrolls in its own box, which the keyboard reaches.
    m_body += text("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"", words,
                   "\"><table><caption><span>", words, "</span></caption><thead><tr>");
    for (std::size_t c = 0; c < t.header.size(); ++c) {
      const bool number = !t.rows.empty() && c < t.rows[0].size() && numeric(t.rows[0][c]);
      m_body += text("<th scope=\"col\"", number ? " class=\"number\"" : "", ">", escape_html(t.header[c]), "</th>");
    }
    m_body += "</tr></thead><tbody>\n";
    for (const auto& row : t.rows) {
      m_body += "<tr>";
      for (const std::string& cell : row)
        m_body += text("<td", numeric(cell) ? " class=\"number\"" : "", ">", escape_html(cell), "</td>");
      m_body += "</tr>\n";
    }
    m_body += text("</tbody></table></div>\n", folded ? "</details>\n" : "");
  }

  /// Text as it stands, folded away behind a line.
  void listing(std::string_view summary, std::string_view words) {
    m_body +=
        text("<details><summary>", escape_html(summary), "</summary><pre>", escape_html(words), "</pre></details>\n");
  }

  /// Plots that follow each other stand side by side where there is room. A plot that was not drawn is a warning.
  void curves(const std::vector<curve_figure>& figures) {
    std::string drawn;
    for (const curve_figure& f : figures) {
      if (f.svg.empty()) {
        warning(f.warning);
        drawn += text("<p class=\"warning\">", escape_html(f.warning), "</p>\n");
        continue;
      }
      drawn += text("<figure><h4>", escape_html(f.title), "</h4>", f.svg, "<ul class=\"legend\">");
      for (std::size_t c = 0; f.names.size() > 1 && c < f.names.size(); ++c)
        drawn +=
            text("<li><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"curve s", c % plot_colours, " d",
                 c / plot_colours % plot_dashes, "\" d=\"M0 4H24\" /></svg>", escape_html(f.names[c]), "</li>");
      drawn +=
          text("</ul>", f.note.empty() ? "" : "<figcaption>" + escape_html(f.note) + "</figcaption>", "</figure>\n");
    }
    if (!drawn.empty()) m_body += text("<div class=\"plots\">\n", drawn, "</div>\n");
  }

  /// HTML that another component made: well-formed, every name in it escaped.
  void markup(std::string_view html) { m_body += html; }

  /// Something that the reader must know; listed at the top.
  void warning(std::string words) { m_warnings.push_back(std::move(words)); }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return m_warnings; }

  /// The whole document.
  [[nodiscard]] std::string to_string() const {
    std::string listed_warnings, contents;
    for (const std::string& w : m_warnings) listed_warnings += text("<li>", escape_html(w), "</li>\n");
    if (!listed_warnings.empty())
      listed_warnings =
          text("<section class=\"warning\"><h2>Warnings</h2><ul>\n", listed_warnings, "</ul></section>\n");
    if (m_headings > 1)
      contents = text("<nav aria-label=\"Contents\"><b>Contents</b><ul>\n", m_contents, "</ul></nav>\n");
    const std::string title = escape_html(m_title);
    const bool scrolls = m_body.find("<details class=\"viewer\"") != std::string::npos;
    return text(first_words, " content=\"width=device-width, initial-scale=1\" />\n",
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; img-src data:; ",
                "style-src &#39;unsafe-inline&#39;; script-src &#39;unsafe-inline&#39;\" />\n<title>", title,
                "</title>\n<style>", page_style(), "</style></head>\n<body>", page_textures(), "<main>\n<h1>", title,
                "</h1>\n", head(), m_notes, listed_warnings, contents, m_body, "<footer>Made by comodal ",
                escape_html(m_head.version),
                ". For research only: not a medical device, and not for diagnosis or treatment.</footer>\n</main>",
                scrolls ? text("\n<script>//<![CDATA[\n", viewer_script, "//]]></script>") : "", "\n</body></html>\n");
  }

  /// Writes the document in one step. @throws io_error if it cannot be written
  void write(const std::filesystem::path& path) const { write_text(path, to_string()); }

 private:
  static bool numeric(const std::string& cell) {
    return !cell.empty() && cell.find_first_not_of("0123456789.+-e ±/") == std::string::npos;
  }
  static std::string listed(const std::vector<std::pair<std::string, std::string>>& list) {
    std::string out;
    for (const auto& [name, value] : list)
      if (!value.empty()) out += text("<dt>", escape_html(name), "</dt><dd>", escape_html(value), "</dd>\n");
    return out.empty() ? "" : text("<dl class=\"facts\">\n", out, "</dl>\n");
  }
  [[nodiscard]] std::string head() const {
    return listed({{"made", m_head.date},
                   {"with", text("comodal ", m_head.version, m_head.commit.empty() ? "" : ", commit ", m_head.commit)},
                   {"host", m_head.host},
                   {"command", m_head.command}});
  }

  std::string m_title;
  report_head m_head;
  index m_headings = 0;
  std::string m_notes, m_contents, m_body;
  std::vector<std::string> m_warnings;
};

}  // namespace comodal::inline COMODAL_CONFIG

#endif
