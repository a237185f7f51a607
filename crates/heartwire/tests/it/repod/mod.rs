//! repod over real sockets.
//!
//! What the original has wrong, in its client (C) and its server (S), and the tests that show it is not so here:
//!
//! | | there | here |
//! |---|---|---|
//! | C1 | what is sent while it connects is lost | `queue::what_is_sent_before_the_connection_is_open_arrives_in_order` |
//! | C2 | closing drops what waits | `close::what_was_sent_before_a_close_arrives` |
//! | C3 | closing does not stop an attempt to connect | `close::closing_gives_an_attempt_to_connect_up` |
//! | C4 | what is sent waits for the next look | `liveness::a_round_trip_takes_at_most_twice_as_long_as_with_a_bare_socket`, `liveness::a_connection_that_idles_wakes_nobody` |
//! | C5 | closing from another thread is not safe | `close::closing_again_from_any_thread_does_nothing` |
//! | C6 | work grows with the square of the bytes | `frames::large_frames_cost_work_that_grows_with_their_size_alone`, `frames::many_tiny_frames_cost_work_that_grows_with_their_number_alone` |
//! | C7 | nobody is told what went wrong | `frames::malformed_frames_end_the_connection_and_say_why` |
//! | C8 | half a frame spoils the next connection | `reconnection::a_lost_frame_does_not_spoil_the_next_connection` |
//! | C9 | old messages go to the next connection | `queue::messages_of_a_lost_connection_are_counted_and_not_sent_over_the_next` |
//! | C10 | connecting has no limit | `connection::connecting_takes_no_longer_than_it_may` |
//! | C11 | a connection is told twice | `connection::a_connection_is_told_once` |
//! | C12 | lost and dead connections stay, nothing is secret | `reconnection`, `liveness::a_dead_peer_ends_an_idle_connection_of_either_side`, `tls` |
//! | C13 | queues without bounds | `queue::a_full_send_queue_is_an_error`, `queue::a_full_receive_queue_stops_the_reading_and_loses_nothing` |
//! | C14 | connecting twice leaves a connection behind | `connection::starting_twice_is_one_connection` |
//! | C15 | dispatching may never end | `listener::a_pump_handles_what_is_there_and_not_what_comes`, `listener::a_pump_can_be_bounded` |
//! | C16 | a peer can say that the connection has ended | `reserved_actions_are_messages_like_others` of the core |
//! | C17 | the end of the program drops what waits | `examples::repod_client`, which ends once it has closed |
//! | C18 | no state, no counts, no way to receive | `connection::a_client_knows_where_it_stands`, `queue::what_has_arrived_is_taken_in_every_way` |
//! | S1 | a handler that fails ends the handling | `hooks::a_message_hook_that_panics_stops_nothing` |
//! | S2 | so does a client that says `disconnected` | `hooks::what_sounds_like_the_library_is_a_message_like_others` |
//! | S3 | a frame that holds nil stops the reading | `frames::what_is_no_message_is_ignored_and_counted` |
//! | S4 | frames of any length are buffered | `frames::frames_that_are_too_long_end_the_connection_before_they_arrive` |
//! | S5 | an end that the writer sees first is not told | `hooks::each_client_that_has_come_goes_once_however_it_goes` |
//! | S6 | a hook that fails leaves a channel behind | `hooks::connect_and_disconnect_hooks_that_panic_leave_nothing_behind` |
//! | S7 | so does a client without an address | none: accepting a connection yields its address |
//! | S8 | a hook that fails at the end keeps it open | as S6 |
//! | S9 | the end drops what waits | `close::what_a_server_has_sent_before_a_close_arrives`, `close::a_server_that_stops_says_goodbye` |
//! | S10 | stopping waits for who does not read | `close::a_server_stops_although_clients_do_not_read` |
//! | S11 | queues without bounds | `queue::a_full_queue_is_refused_or_ends_the_connection_as_the_server_wants_it` |
//! | S12 | a broadcast is encoded for each, over a list that changes | `broadcast::a_broadcast_reaches_everybody_and_is_encoded_once`, `broadcast::broadcasts_go_on_while_clients_come_and_go` |
//! | S13 | a wake-up for each message | `a_burst_is_answered_with_one_write` of the driver |
//! | S14 | an address in use is told to nobody | `connection::a_server_on_any_port_knows_which` |
//! | S15 | nobody can be thrown out | `close::a_client_is_kicked_after_what_was_sent_to_it` |
//! | S16 | the port is unknown, a missing handler is found late | `connection::a_server_on_any_port_knows_which`, `connection::a_server_without_a_handler_lets_nobody_in` |
//! | S17 | handlers and the main loop change the same state | `listener::handlers_run_on_the_thread_that_pumps_and_may_send` |
//! | S18 | no TLS, no limits | `tls`, `limits` |

mod broadcast;
mod close;
mod conformance;
mod connection;
mod frames;
mod hooks;
mod limits;
mod listener;
mod liveness;
mod queue;
mod reconnection;
mod support;
mod tls;
