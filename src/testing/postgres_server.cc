#include "testing/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/io.h"

namespace weir::testing {
namespace {

namespace fs = std::filesystem;

/// What the guardian runs: waits until the test closes the pipe, then clears away. $1 programs, $2 directory.
constexpr const char* kGuardian = R"(
  cat > /dev/null
  "$1/pg_ctl" -D "$2/data" -m immediate -w stop > /dev/null 2>&1
  rm -rf "$2"
)";

/// The newest installation that Debian's packages made; empty when there is none.
std::string find_programs() {
  std::string best;
  double best_version = 0;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const double version = std::atof(entry.path().filename().c_str());
    if (version <= best_version || !fs::exists(entry.path() / "bin/initdb")) continue;
    best_version = version;
    best = entry.path() / "bin";
  }
  return best;
}

struct Identity {
  bool change = false;
  unsigned user = 0;
  unsigned group = 0;
};

/// fork and exec as `identity`, with `input` as stdin and `output` as stdout and stderr; -1 leaves them.
pid_t spawn(const std::vector<std::string>& command, Identity identity, int input, int output) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  const gid_t group = identity.group;
  if (identity.change && (::setgroups(1, &group) != 0 || ::setgid(group) != 0 || ::setuid(identity.user) != 0))
    ::_exit(126);
  // Signals to the terminal's process group are for the test; the guardian clears away afterwards.
  ::setsid();
  if (::chdir("/") != 0) ::_exit(126);
  if (input >= 0) ::dup2(input, STDIN_FILENO);
  if (output >= 0) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
  }
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

}  // namespace

Result<std::unique_ptr<PostgresServer>> PostgresServer::start(const Options& options) {
  std::unique_ptr<PostgresServer> server(new PostgresServer);
  TRY(server->set_up(options));
  return server;
}

PostgresServer::~PostgresServer() {
  guardian_pipe_.reset();
  if (guardian_ > 0) wait_for(guardian_);
}

Status PostgresServer::set_up(const Options& options) {
  programs_ = find_programs();
  if (programs_.empty())
    return error(Code::kNotFound, "PostgreSQL is not installed; the tests need package postgresql");
  change_user_ = ::geteuid() == 0;
  if (change_user_) {
    const struct passwd* account = ::getpwnam("postgres");
    if (account == nullptr) return error(Code::kNotFound, "there is no user postgres; install package postgresql");
    user_ = account->pw_uid;
    group_ = account->pw_gid;
  }
  const char* parent = std::getenv("TMPDIR");
  std::string pattern = std::string(parent ? parent : "/tmp") + "/weir-pg-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return errno_error(errno, "make " + pattern);
  directory_ = pattern;
  if (change_user_ && ::chown(directory_.c_str(), user_, group_) != 0) return errno_error(errno, "chown " + directory_);
  TRY(start_guardian());
  TRY(run("initdb",
          {"-D", directory_ + "/data", "-A", "trust", "-U", "weir", "-E", "UTF8", "--locale=C", "--no-sync"}));
  settings_ = fmt::format("-c listen_addresses= -c unix_socket_directories={} -c fsync={} -c shared_buffers=32MB",
                          directory_, options.fsync ? "on" : "off");
  for (const std::string& setting : options.settings) settings_ += " -c " + setting;
  return start_again();
}

Status PostgresServer::start_guardian() {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
  FileDescriptor read_end(pipe[0]);
  guardian_pipe_.reset(pipe[1]);
  guardian_ = spawn({"/bin/sh", "-c", kGuardian, "guardian", programs_, directory_}, {change_user_, user_, group_},
                    read_end.get(), -1);
  if (guardian_ < 0) return errno_error(errno, "fork");
  return {};
}

Status PostgresServer::run(const std::string& program, const std::vector<std::string>& arguments) const {
  const std::string log = directory_ + "/" + program + ".log";
  ASSIGN_OR_RETURN(FileDescriptor output, io::open_file(log, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  std::vector<std::string> command = {programs_ + "/" + program};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const pid_t child = spawn(command, {change_user_, user_, group_}, -1, output.get());
  if (child < 0) return errno_error(errno, "fork");
  const int status = wait_for(child);
  if (status != 0)
    return error(Code::kIo, "{} failed with status {}: {}", program, status, io::read_file(log).value_or(Bytes{}));
  return {};
}

std::string PostgresServer::url(const std::string& parameters, const std::string& database) const {
  return fmt::format("postgres://weir@/{}?host={}{}{}", database, directory_, parameters.empty() ? "" : "&",
                     parameters);
}

Status PostgresServer::kill() { return run("pg_ctl", {"-D", directory_ + "/data", "-m", "immediate", "-w", "stop"}); }

Status PostgresServer::start_again() {
  return run("pg_ctl", {"-D", directory_ + "/data", "-w", "-l", directory_ + "/server.log", "-o", settings_, "start"});
}

}  // namespace weir::testing
