#include "http/server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>

#include "base/check.h"
#include "base/log.h"
#include "base/thread_pool.h"

namespace weir::http {

namespace {

/// A connection, and what its client owes: a request, the rest of one, or taking a response.
struct Connection {
  int socket = -1;
  bool from_this_machine = false;
  int64_t deadline_ns = 0;  // 0: it is our turn
  std::unique_ptr<ConnectionState> state;
};

/// One request on its way through the server.
struct Exchange {
  Request request;
  Connection* connection = nullptr;
  const Route* route = nullptr;
  bool begun = false;
  bool handed_over = false;
  std::optional<Response> response;
};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return lower;
}

MHD_Result note_header(void* headers, MHD_ValueKind, const char* name, const char* value) {
  (*static_cast<Headers*>(headers))[lower_case(name)] = value != nullptr ? value : "";
  return MHD_YES;
}

void log_line(void*, const char* format, va_list arguments) {
  char line[512];
  if (std::vsnprintf(line, sizeof line, format, arguments) > 0) log::debug("http: {}", line);
}

void let_go(void* owner) { delete static_cast<std::shared_ptr<const std::string>*>(owner); }

/// The other end of the connection is on this machine: at the loopback address, or at the address that was asked.
bool is_from_this_machine(int socket, const sockaddr* client) {
  SocketAddress other;
  other.size = client->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(&other.bytes, client, other.size);
  SocketAddress own;
  own.size = sizeof own.bytes;
  if (other.is_loopback()) return true;
  return ::getsockname(socket, own.get(), &own.size) == 0 && own.address().host == other.address().host;
}

}  // namespace

class Server::Impl {
 public:
  Impl(Listener listener, std::vector<Route> routes, Clock& clock, const ServerOptions& options)
      : address(listener.address),
        routes_(std::move(routes)),
        clock_(clock),
        options_(options),
        socket_(std::move(listener.socket)),
        handlers_("weir-http", options.handler_threads, limits::kHttpQueued) {}
  ~Impl();

  Status start();
  size_t connections() const {
    MutexLock lock(mutex_);
    return connections_.size();
  }

  const Address address;

 private:
  static MHD_Result call_on_request(void* self, MHD_Connection* connection, const char* path, const char* method,
                                    const char*, const char* bytes, size_t* count, void** exchange) {
    return static_cast<Impl*>(self)->on_request(connection, path, method, {bytes, *count}, count,
                                                *static_cast<Exchange*>(*exchange));
  }
  static void* call_on_target(void* self, const char* target, MHD_Connection* connection) {
    return static_cast<Impl*>(self)->on_target(target, connection);
  }
  static void call_on_completed(void* self, MHD_Connection*, void** exchange, MHD_RequestTerminationCode) {
    static_cast<Impl*>(self)->on_completed(static_cast<Exchange*>(*exchange));
    *exchange = nullptr;
  }
  static void call_on_connection(void* self, MHD_Connection* connection, void** context,
                                 MHD_ConnectionNotificationCode code) {
    static_cast<Impl*>(self)->on_connection(connection, context, code);
  }

  MHD_Result on_request(MHD_Connection* connection, const char* path, const char* method, std::string_view bytes,
                        size_t* count, Exchange& exchange);
  Exchange* on_target(const char* target, MHD_Connection* connection);
  void on_completed(Exchange* exchange);
  void on_connection(MHD_Connection* connection, void** context, MHD_ConnectionNotificationCode code);

  MHD_Result begin(MHD_Connection* connection, const char* path, const char* method, Exchange& exchange);
  MHD_Result hand_over(MHD_Connection* connection, Exchange& exchange);
  MHD_Result respond(MHD_Connection* connection, Exchange& exchange, Response response);
  void resume(MHD_Connection* connection);
  const Route* route_of(std::string_view path) const;
  void set_deadline(Connection& connection, int64_t from_now_ms) EXCLUDES(mutex_);
  void watch();

  const std::vector<Route> routes_;
  Clock& clock_;
  const ServerOptions options_;
  FileDescriptor socket_;
  MHD_Daemon* daemon_ = nullptr;
  mutable Mutex mutex_;
  ConditionVariable wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  size_t suspended_ GUARDED_BY(mutex_) = 0;
  std::set<Connection*> connections_ GUARDED_BY(mutex_);
  std::thread watcher_;
  ThreadPool handlers_;
};

Status Server::Impl::start() {
  const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG;
  daemon_ = MHD_start_daemon(flags, 0, nullptr, nullptr, &Impl::call_on_request, this, MHD_OPTION_EXTERNAL_LOGGER,
                             &log_line, nullptr, MHD_OPTION_LISTEN_SOCKET, socket_.get(), MHD_OPTION_THREAD_POOL_SIZE,
                             static_cast<unsigned>(limits::kHttpEventThreads), MHD_OPTION_CONNECTION_LIMIT,
                             static_cast<unsigned>(options_.connections_max), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                             size_t{limits::kHttpHeadBytes}, MHD_OPTION_URI_LOG_CALLBACK, &Impl::call_on_target, this,
                             MHD_OPTION_NOTIFY_COMPLETED, &Impl::call_on_completed, this, MHD_OPTION_NOTIFY_CONNECTION,
                             &Impl::call_on_connection, this, MHD_OPTION_END);
  if (daemon_ == nullptr)
    return error(Code::kUnavailable, "the HTTP server at {} could not be started", address.text());
  socket_.release();  // the daemon closes it
  watcher_ = std::thread([this] { watch(); });
  return {};
}

Server::Impl::~Impl() {
  if (daemon_ == nullptr) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    // None may be waiting for a handler when the daemon ends.
    while (suspended_ > 0) wake_.wait(mutex_);
  }
  MHD_stop_daemon(daemon_);
  watcher_.join();
}

const Route* Server::Impl::route_of(std::string_view path) const {
  const Route* best = nullptr;
  for (const Route& route : routes_)
    if (path.starts_with(route.prefix) && (best == nullptr || route.prefix.size() > best->prefix.size())) best = &route;
  return best;
}

void Server::Impl::on_connection(MHD_Connection* connection, void** context, MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    auto* made = new Connection;
    const auto* socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const auto* client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    made->socket = socket->connect_fd;
    made->from_this_machine = is_from_this_machine(made->socket, client->client_addr);
    *context = made;
    set_deadline(*made, options_.idle_ms);
    MutexLock lock(mutex_);
    connections_.insert(made);
    return;
  }
  auto* ended = static_cast<Connection*>(*context);
  {
    MutexLock lock(mutex_);
    connections_.erase(ended);
  }
  delete ended;
}

void Server::Impl::set_deadline(Connection& connection, int64_t from_now_ms) {
  MutexLock lock(mutex_);
  connection.deadline_ns = from_now_ms == 0 ? 0 : clock_.monotonic_ns() + from_now_ms * 1'000'000;
}

Exchange* Server::Impl::on_target(const char* target, MHD_Connection* connection) {
  auto* exchange = new Exchange;
  exchange->request.target = target;
  const auto* context = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  exchange->connection = static_cast<Connection*>(context->socket_context);
  set_deadline(*exchange->connection, options_.request_ms);
  return exchange;
}

void Server::Impl::on_completed(Exchange* exchange) {
  if (exchange == nullptr) return;
  set_deadline(*exchange->connection, options_.idle_ms);
  delete exchange;
}

MHD_Result Server::Impl::on_request(MHD_Connection* connection, const char* path, const char* method,
                                    std::string_view bytes, size_t* count, Exchange& exchange) {
  if (!exchange.begun) return begin(connection, path, method, exchange);
  if (*count > 0) {
    // Only a client that did not say how long its request is gets here with too much.
    if (exchange.request.body.size() + bytes.size() > exchange.route->body_bytes_max) return MHD_NO;
    exchange.request.body.append(bytes);
    *count = 0;
    return MHD_YES;
  }
  if (exchange.response) return respond(connection, exchange, std::move(*exchange.response));
  return exchange.handed_over ? MHD_YES : hand_over(connection, exchange);
}

MHD_Result Server::Impl::begin(MHD_Connection* connection, const char* path, const char* method, Exchange& exchange) {
  exchange.begun = true;
  Request& request = exchange.request;
  request.method = method;
  request.path = path;
  request.from_this_machine = exchange.connection->from_this_machine;
  request.state = &exchange.connection->state;
  MHD_get_connection_values(connection, MHD_HEADER_KIND, &note_header, &request.headers);
  exchange.route = route_of(request.path);
  if (exchange.route == nullptr) return respond(connection, exchange, Response::text(404, "there is nothing here"));
  auto length = request.header("content-length");
  if (length && std::strtoull(std::string(*length).c_str(), nullptr, 10) > exchange.route->body_bytes_max)
    return respond(
        connection, exchange,
        Response::text(413, fmt::format("a request here has at most {} bytes", exchange.route->body_bytes_max)));
  return MHD_YES;
}

MHD_Result Server::Impl::hand_over(MHD_Connection* connection, Exchange& exchange) {
  exchange.handed_over = true;
  set_deadline(*exchange.connection, 0);
  {
    MutexLock lock(mutex_);
    if (stopping_) return MHD_NO;
    ++suspended_;
    MHD_suspend_connection(connection);
  }
  auto run = [this, connection, &exchange] {
    exchange.response = exchange.route->handler(exchange.request);
    resume(connection);
  };
  if (handlers_.try_submit(run)) return MHD_YES;
  exchange.response = Response::text(503, "too many requests are waiting; try again later");
  resume(connection);
  return MHD_YES;
}

void Server::Impl::resume(MHD_Connection* connection) {
  MutexLock lock(mutex_);
  MHD_resume_connection(connection);
  --suspended_;
  wake_.notify_all();
}

MHD_Result Server::Impl::respond(MHD_Connection* connection, Exchange& exchange, Response response) {
  MHD_Response* made = nullptr;
  uint64_t length = response.body.size();
  if (response.part) {
    length = response.part->length;
    made = MHD_create_response_from_fd_at_offset64(length, response.part->file.get(), response.part->offset);
    if (made != nullptr) response.part->file.release();
  } else if (response.shared) {
    length = response.shared->size();
    auto* owner = new std::shared_ptr<const std::string>(response.shared);
    made = MHD_create_response_from_buffer_with_free_callback_cls(length, const_cast<char*>(response.shared->data()),
                                                                  &let_go, owner);
    if (made == nullptr) delete owner;
  } else {
    made = MHD_create_response_from_buffer(response.body.size(), response.body.data(), MHD_RESPMEM_MUST_COPY);
  }
  if (made == nullptr) return MHD_NO;
  bool fits = true;
  for (const auto& [name, value] : response.headers)
    fits = MHD_add_response_header(made, name.c_str(), value.c_str()) == MHD_YES && fits;
  set_deadline(*exchange.connection,
               options_.response_ms + static_cast<int64_t>(length / options_.slowest_bytes_per_ms));
  MHD_Result queued = MHD_NO;
  if (fits) queued = MHD_queue_response(connection, static_cast<unsigned>(response.status), made);
  MHD_destroy_response(made);
  return queued;
}

/// Ends connections whose clients take too long; the daemon sees them closed.
void Server::Impl::watch() {
  ::pthread_setname_np(::pthread_self(), "http-watch");
  MutexLock lock(mutex_);
  while (!stopping_) {
    const int64_t now_ns = clock_.monotonic_ns();
    for (Connection* connection : connections_)
      if (connection->deadline_ns != 0 && connection->deadline_ns < now_ns) ::shutdown(connection->socket, SHUT_RDWR);
    wake_.wait_for_ms(mutex_, limits::kHttpWatchMs);
  }
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(Listener listener, std::vector<Route> routes, Clock& clock,
                                              const ServerOptions& options) {
  auto impl = std::make_unique<Impl>(std::move(listener), std::move(routes), clock, options);
  TRY(impl->start());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

const Address& Server::address() const { return impl_->address; }
size_t Server::connections() const { return impl_->connections(); }

}  // namespace weir::http
