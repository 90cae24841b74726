#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "testing/s3/connection.h"

namespace weir::testing::s3 {

/// Accepts connections on one IPv4 address and serves each on a thread of its own, limits::kTestServerConnections at
/// once at most. Thread-safe.
class Listener {
 public:
  /// `serve` runs on many threads at once, and returns when the connection shall be closed.
  using Serve = std::function<void(Connection&)>;

  /// Port 0: one that is free. Unavailable when the port is taken, Invalid when `address` is none.
  static Result<std::unique_ptr<Listener>> open(uint16_t port, Serve serve, const std::string& address = "127.0.0.1");
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The same one for the object's life, however often it is closed and opened again.
  uint16_t port() const { return port_; }
  /// From now on connections are refused. Ends those that there are. Blocks: until all of `serve` returned.
  void close();
  /// Accepts again, after close().
  Status open_again();
  /// Ends the connections that there are; others are accepted all the time.
  void end_all();
  /// Connections that were accepted.
  uint64_t accepted() const;

 private:
  struct Served {
    explicit Served(FileDescriptor socket) : connection(std::move(socket)) {}
    Connection connection;
    std::thread thread;
    bool done = false;
  };

  Listener(Serve serve, uint16_t port, std::string address)
      : serve_(std::move(serve)), address_(std::move(address)), port_(port) {}
  Status listen() REQUIRES(open_mutex_);
  void accept_all();
  void add(FileDescriptor socket);
  void run(Served& served);
  void join_all();
  std::list<std::unique_ptr<Served>> take_done() REQUIRES(mutex_);

  const Serve serve_;
  const std::string address_;
  uint16_t port_;     // changes once, before anybody else has this
  Mutex open_mutex_;  // one close() or open_again() at a time
  FileDescriptor socket_;
  std::thread acceptor_ GUARDED_BY(open_mutex_);
  mutable Mutex mutex_;
  ConditionVariable room_;
  std::list<std::unique_ptr<Served>> served_ GUARDED_BY(mutex_);
  uint64_t accepted_ GUARDED_BY(mutex_) = 0;
  bool closing_ GUARDED_BY(mutex_) = false;
};

}  // namespace weir::testing::s3
