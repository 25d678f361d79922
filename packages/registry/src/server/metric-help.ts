import type { MetricHelp } from './metrics.ts'

/** Every metric of the server, in the order in which it is shown. */
export const metricHelp: Readonly<Record<string, MetricHelp>> = {
  katman_registry_info: { type: 'gauge', help: 'The version that runs.' },
  katman_registry_threads: { type: 'gauge', help: 'Threads that answer requests.' },
  katman_registry_requests_total: { type: 'counter', help: 'Requests answered.' },
  katman_registry_request_duration_seconds: {
    type: 'histogram',
    help: 'From the head of a request to the last byte of its answer.',
  },
  katman_registry_requests_running: { type: 'gauge', help: 'Requests under way.' },
  katman_registry_received_bytes_total: { type: 'counter', help: 'Bytes of bodies that arrived.' },
  katman_registry_sent_bytes_total: { type: 'counter', help: 'Bytes of bodies that left.' },
  katman_registry_connections: { type: 'gauge', help: 'Open connections.' },
  katman_registry_connections_refused_total: {
    type: 'counter',
    help: 'Connections closed because there were too many.',
  },
  katman_registry_clients_cut_total: {
    type: 'counter',
    help: 'Clients cut because they stood still, spoke no proper HTTP, or sent too many requests at once.',
  },
  katman_registry_uploads_open: { type: 'gauge', help: 'Uploads begun and not ended.' },
  katman_registry_jobs_waiting: { type: 'gauge', help: 'Jobs that wait or run, by kind.' },
  katman_registry_database_transaction_seconds: {
    type: 'histogram',
    help: 'Transactions, with their wait for other writers and for the disk.',
  },
  process_cpu_seconds_total: { type: 'counter', help: 'Processor time, all threads.' },
  process_resident_memory_bytes: { type: 'gauge', help: 'Memory of the process.' },
  process_start_time_seconds: { type: 'gauge', help: 'When the process started, since 1970.' },
  process_open_fds: { type: 'gauge', help: 'Open files and connections.' },
  nodejs_heap_size_used_bytes: { type: 'gauge', help: 'JavaScript heap in use, all threads.' },
  nodejs_external_memory_bytes: { type: 'gauge', help: 'Buffers outside the heap, all threads.' },
  nodejs_eventloop_lag_seconds: {
    type: 'gauge',
    help: 'How late timers were, mean since the last look, by thread.',
  },
}
