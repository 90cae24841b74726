#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace weir::bench {

using Command = std::vector<std::string>;

/// Runs a program and waits for it. Its output is thrown away; an error has the end of what it wrote to stderr.
/// `directory`: where it runs; empty: here.
Status run(const Command& command, const std::string& directory = "");
/// As run(), and returns what it wrote to stdout.
Result<std::string> output_of(const Command& command, const std::string& directory = "");
/// Starts a program that goes on by itself, in a session of its own as daemons have one: schedulers that share out
/// cores by session would otherwise favour it. Its stderr is ours.
Result<pid_t> start(const Command& command);
/// Sends SIGTERM to a program of start() and waits for its end.
void stop(pid_t process);

}  // namespace weir::bench
