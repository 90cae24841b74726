#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace weir::testing {

/// Starts this test program anew to run the test that calls, and returns its process id; descriptors without
/// close-on-exec are inherited. A forked copy would not do: it lacks the threads that libraries have started (the
/// database's pool), and would wait for them for ever.
pid_t start_own_process(const std::vector<std::string>& arguments);

/// In the process started so: what it was given. Nothing in the test program itself.
std::optional<std::vector<std::string>> own_process_arguments();

}  // namespace weir::testing
