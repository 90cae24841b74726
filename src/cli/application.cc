#include "cli/application.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/log.h"
#include "cli/command.h"
#include "cli/help.h"
#include "daemon/json.h"

namespace weir::cli {

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

std::string one_line(std::string text) {
  while (text.ends_with('\n') || text.ends_with('.')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

int complain(std::ostream& errors, const std::string& what, int exit_code) {
  errors << "weir: " << one_line(what) << "\n";
  return exit_code;
}

/// Where a command's result and its complaints go.
struct Output {
  std::ostream& out;
  std::ostream& errors;
};

/// Whoever reads the document of --json gets one of a failure too.
int fail(const Output& output, bool json, const Error& failure, int exit_code) {
  Json what;
  what["code"] = code_name(failure.code);
  what["what"] = one_line(failure.what);
  if (json) output.out << json_document(Json{{"error", what}}) << std::flush;
  return complain(output.errors, failure.what, exit_code);
}

/// Also of arguments that cannot be parsed.
bool wants_json(std::span<const std::string> arguments) {
  auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

void add_all_options(Command& command, CLI::App& app, bool& json) {
  command.add_options(app);
  app.add_flag("--json", json, "Print one JSON document on standard output and nothing else.");
}

Command* find_command(std::span<const std::unique_ptr<Command>> commands, const std::string& name) {
  for (const auto& command : commands)
    if (command->manual().name == name) return command.get();
  return nullptr;
}

int show_help(std::span<const std::unique_ptr<Command>> commands, std::span<const std::string> arguments,
              std::ostream& out, std::ostream& errors) {
  if (arguments.empty()) {
    out << overview(commands);
    return 0;
  }
  Command* command = find_command(commands, arguments[0]);
  if (command == nullptr)
    return complain(errors, "there is no command '" + arguments[0] + "'; see: weir help", kWrongUsage);
  CLI::App app;
  bool json = false;
  add_all_options(*command, app, json);
  out << manual_page(command->manual(), app);
  return 0;
}

int run_command(Command& command, std::span<const std::string> arguments, const Output& output) {
  CLI::App app;
  app.name("weir " + command.manual().name);
  bool json = false;
  add_all_options(command, app, json);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 takes them
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    output.out << manual_page(command.manual(), app);
    return 0;
  } catch (const CLI::ParseError& failure) {
    Error wrong{Code::kInvalid, one_line(failure.what()) + "; see: weir " + command.manual().name + " --help"};
    return fail(output, wants_json(arguments), wrong, kWrongUsage);
  }

  // Whatever parts of the system log, a command says one sentence.
  if (!command.serves()) log::mute();
  auto outcome = command.run(json);
  if (!outcome) return fail(output, json, outcome.error(), kFailed);
  output.out << (json ? outcome->json : outcome->text) << std::flush;
  if (!outcome->complaint.empty()) complain(output.errors, outcome->complaint, 0);
  return outcome->exit_code;
}

}  // namespace

std::vector<std::unique_ptr<Command>> all_commands() {
  std::vector<std::unique_ptr<Command>> commands;
  for (auto make : {make_up, make_format, make_mount, make_umount, make_upgrade, make_status, make_stat, make_sync,
                    make_warm, make_evict, make_gc, make_fsck, make_dump, make_load, make_doctor, make_version})
    commands.push_back(make());
  return commands;
}

int run(std::span<const std::string> arguments, std::ostream& out, std::ostream& errors) {
  auto commands = all_commands();
  if (arguments.empty()) {
    errors << overview(commands);
    return kWrongUsage;
  }
  const std::string& name = arguments[0];
  if (name == "help" || name == "-h" || name == "--help") return show_help(commands, arguments.subspan(1), out, errors);
  Command* command = find_command(commands, name == "--version" ? "version" : name);
  if (command == nullptr) return complain(errors, "there is no command '" + name + "'; see: weir help", kWrongUsage);
  return run_command(*command, arguments.subspan(1), {out, errors});
}

}  // namespace weir::cli
