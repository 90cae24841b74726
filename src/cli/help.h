#pragma once

#include <memory>
#include <span>
#include <string>

#include "cli/command.h"

namespace weir::cli {

/// The list of commands.
std::string overview(std::span<const std::unique_ptr<Command>> commands);

/// The manual page of a command whose options are those of `app`.
std::string manual_page(const Manual& manual, const CLI::App& app);

/// `text` broken into lines of at most 79 columns, each indented.
std::string wrapped(const std::string& text, size_t indent);

}  // namespace weir::cli
