#include "testing/s3/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/limits.h"

namespace weir::testing::s3 {

Result<std::unique_ptr<Listener>> Listener::open(uint16_t port, Serve serve, const std::string& address) {
  std::unique_ptr<Listener> listener(new Listener(std::move(serve), port, address));
  TRY(listener->open_again());
  return listener;
}

Listener::~Listener() { close(); }

Status Listener::listen() {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return errno_error(errno, "make a socket");
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  if (::inet_pton(AF_INET, address_.c_str(), &address.sin_addr) != 1)
    return error(Code::kInvalid, "{} is no IPv4 address to listen on", address_);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(socket.get(), limits::kTestServerBacklog) != 0) {
    return errno_error(errno, fmt::format("listen on port {} of {}", port_, address_));
  }
  socklen_t length = sizeof(address);
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return errno_error(errno, "getsockname");
  }
  if (port_ == 0) port_ = ntohs(address.sin_port);  // later others read it
  socket_ = std::move(socket);
  acceptor_ = std::thread([this] { accept_all(); });
  return {};
}

void Listener::accept_all() {
  while (true) {
    FileDescriptor socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.valid()) {
      add(std::move(socket));
    } else if (errno == EINVAL) {
      return;  // close() shut the socket down
    } else if (errno != EINTR && errno != ECONNABORTED) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));  // out of descriptors
    }
  }
}

void Listener::add(FileDescriptor socket) {
  std::list<std::unique_ptr<Served>> done;
  {
    MutexLock lock(mutex_);
    done = take_done();
    while (served_.size() >= limits::kTestServerConnections && !closing_) {
      room_.wait(mutex_);
      done.splice(done.end(), take_done());
    }
    if (closing_) return;
    accepted_++;
    served_.push_back(std::make_unique<Served>(std::move(socket)));
    Served& served = *served_.back();
    served.thread = std::thread([this, &served] { run(served); });
  }
  for (auto& served : done) served->thread.join();
}

void Listener::run(Served& served) {
  serve_(served.connection);
  MutexLock lock(mutex_);
  served.done = true;
  served.connection.close();
  room_.notify_one();
}

std::list<std::unique_ptr<Listener::Served>> Listener::take_done() {
  std::list<std::unique_ptr<Served>> done;
  for (auto at = served_.begin(); at != served_.end();) {
    const auto next = std::next(at);
    if ((*at)->done) done.splice(done.end(), served_, at);
    at = next;
  }
  return done;
}

void Listener::close() {
  MutexLock only_one(open_mutex_);
  if (!acceptor_.joinable()) return;
  {
    MutexLock lock(mutex_);
    closing_ = true;
    room_.notify_all();
  }
  ::shutdown(socket_.get(), SHUT_RDWR);
  acceptor_.join();
  socket_.reset();
  join_all();
}

void Listener::join_all() {
  std::list<std::unique_ptr<Served>> served;
  {
    MutexLock lock(mutex_);
    for (auto& each : served_) each->connection.end();
    served.swap(served_);
  }
  for (auto& each : served) each->thread.join();
}

Status Listener::open_again() {
  MutexLock only_one(open_mutex_);
  if (acceptor_.joinable()) return {};
  {
    MutexLock lock(mutex_);
    closing_ = false;
  }
  return listen();
}

void Listener::end_all() {
  MutexLock lock(mutex_);
  for (auto& each : served_) each->connection.end();
}

uint64_t Listener::accepted() const {
  MutexLock lock(mutex_);
  return accepted_;
}

}  // namespace weir::testing::s3
