#include "cli/help.h"

#include <CLI/CLI.hpp>
#include <sstream>

namespace weir::cli {

namespace {

constexpr size_t kColumns = 79;
constexpr size_t kIndent = 4;

std::string section(const std::string& title, const std::string& body) { return title + "\n" + body + "\n"; }

std::string paragraphs(const std::string& text, size_t indent) {
  std::string page;
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = std::min(text.find("\n\n", begin), text.size());
    if (!page.empty()) page += "\n";
    page += wrapped(text.substr(begin, end - begin), indent);
    begin = end + 2;
  }
  return page;
}

std::string option_names(const CLI::Option& option) {
  std::string names;
  auto add = [&](const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  if (option.get_items_expected_max() > 0 && !option.get_type_name().empty()) names += " " + option.get_type_name();
  return names;
}

std::string options_of(const CLI::App& app) {
  std::string page;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional())
      page += std::string(kIndent, ' ') + option->get_name(true, false) + "\n";
    else
      page += std::string(kIndent, ' ') + option_names(*option) + "\n";
    page += wrapped(option->get_description(), kIndent * 2);
  }
  return page;
}

std::string exit_codes(const Manual& manual) {
  return wrapped("0  Done.", kIndent) + wrapped("1  " + manual.failures, kIndent) +
         wrapped("2  Wrong usage: an option or argument is unknown, missing or malformed.", kIndent);
}

}  // namespace

std::string wrapped(const std::string& text, size_t indent) {
  std::istringstream words(text);
  std::string page;
  std::string line(indent, ' ');
  for (std::string word; words >> word;) {
    if (line.size() > indent && line.size() + 1 + word.size() > kColumns) {
      page += line + "\n";
      line.assign(indent, ' ');
    }
    if (line.size() > indent) line += ' ';
    line += word;
  }
  return line.size() > indent ? page + line + "\n" : page;
}

std::string overview(std::span<const std::unique_ptr<Command>> commands) {
  std::string page =
      "Weir: a shared volume for fleets of machines.\n\nUsage: weir COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n";
  for (const auto& command : commands) {
    Manual manual = command->manual();
    page += fmt::format("  {:<9} {}\n", manual.name, manual.summary);
  }
  page += fmt::format("  {:<9} {}\n", "help", "show the manual page of a command");
  return page +
         "\n'weir help COMMAND' or 'weir COMMAND --help' explains a command.\n'weir up /data' is where to start.\n";
}

std::string manual_page(const Manual& manual, const CLI::App& app) {
  std::string page = section("NAME", wrapped(fmt::format("weir-{} - {}", manual.name, manual.summary), kIndent));
  page += section("SYNOPSIS", fmt::format("    weir {} [OPTION]...{}{}\n", manual.name,
                                          manual.arguments.empty() ? "" : " ", manual.arguments));
  page += section("DESCRIPTION", paragraphs(manual.description, kIndent));
  page += section("OPTIONS", options_of(app));
  page += section("EXIT STATUS", exit_codes(manual));
  std::string examples;
  for (const std::string& example : manual.examples) examples += "    " + example + "\n";
  page += section("EXAMPLES", examples);
  page.pop_back();
  return page;
}

}  // namespace weir::cli
