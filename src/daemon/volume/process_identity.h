#pragma once

#include <string>

#include "model/node_info.h"

/// Which process this is, and whether another one still runs. All read /proc and never fail: what cannot be read is
/// empty.
namespace weir {

ProcessIdentity this_process();
/// Of a process of this machine and pid namespace; empty when there is none.
ProcessIdentity identity_of(int64_t pid);

/// True only if it is certain: same boot, same pid namespace, and no process of that pid and start time.
bool is_surely_dead(const ProcessIdentity& process);

/// True only if it is certain: same boot, same pid namespace, and that very process runs.
bool is_surely_alive(const ProcessIdentity& process);

std::string this_host();

/// The name of a process for messages: "weir", "bash"; empty when there is none.
std::string process_name(int64_t pid);

/// Where the running program's file lies, or lay.
std::string this_program();

/// The content of a file of /proc or /sys, which have no size; empty when it cannot be read. Without the final newline.
std::string read_kernel_file(const std::string& path);

}  // namespace weir
