// The fault server as a program, for tests in other languages: prints its two endpoints, then serves until its standard
// input ends, so that it never outlives the test that started it.
//   weir_s3_fault_server [PORT [CONTROL_PORT [ADDRESS]]]

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "testing/s3/fault_server.h"

int main(int argc, char** argv) {
  using weir::testing::s3::FaultServer;
  std::signal(SIGPIPE, SIG_IGN);
  FaultServer::Options options;
  if (argc > 1) options.port = static_cast<uint16_t>(std::atoi(argv[1]));
  if (argc > 2) options.control_port = static_cast<uint16_t>(std::atoi(argv[2]));
  if (argc > 3) options.address = argv[3];
  const auto server = FaultServer::start(options);
  if (!server) {
    fmt::print(stderr, "weir_s3_fault_server: {}\n", server.error().what);
    return 1;
  }
  fmt::print("{}\n{}\n", (*server)->endpoint(), (*server)->control_endpoint());
  std::fflush(stdout);
  std::array<char, 64> ignored;
  while (::read(STDIN_FILENO, ignored.data(), ignored.size()) > 0) {
  }
  return 0;
}
