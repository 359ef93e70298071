"""Which role each route needs. A route that is not listed is only for owners, and a test says so.

The scope of key that a route needs follows: `admin` for what only owners may do, else `read` for safe
methods and `write` for all others. `SCOPES` has the exceptions.
"""

from service.actor import KeyScope, Role

# What whoever has signed in may use, with or without a role.
FOR_ANYBODY = """
    GET /                              GET /boards                         POST /logout
    POST /theme                        POST /shortcuts                     POST /language
    GET /me                            POST /me                            POST /me/keys
    POST /me/keys/{key_id}/revoke      POST /me/sign-out
    GET /api/v1/me                     PATCH /api/v1/me
    GET /api/v1/me/keys                POST /api/v1/me/keys                DELETE /api/v1/me/keys/{key_id}
    GET /api/v1/me/sessions            DELETE /api/v1/me/sessions
    GET /api/v1/openapi.json           GET /api/docs                       GET /docs
    GET /problems                      GET /problems/{kind}                POST /mcp
    GET /api/v1/boards                 GET /api/v1/methods                GET /help
    GET /api/v1/board-templates        GET /about
    GET /palette                       GET /search                        GET /help/scores
"""
# The role that is needed on the board of what the path names. Where a path names nothing of a board,
# the role on any board is enough: the store shows and changes only what the person may see and change.
ON_A_BOARD: dict[Role, str] = {
    Role.READER: """
    GET /api/v1/boards/{board_id}                          GET /boards/{board_id}
    GET /api/v1/boards/{board_id}/tags                     GET /boards/{board_id}/print
    GET /api/v1/boards/{board_id}/rubrics                  GET /boards/{board_id}/table
    GET /api/v1/boards/{board_id}/rubrics/{rubric_id}      GET /boards/{board_id}/rubrics
    GET /api/v1/boards/{board_id}/table                    GET /rubrics/{rubric_id}
    GET /api/v1/boards/{board_id}/comparisons              GET /boards/{board_id}/rank
    GET /api/v1/boards/{board_id}/comparisons/next         GET /boards/{board_id}/summary
    GET /api/v1/boards/{board_id}/comparisons/{comparison_id}
    GET /api/v1/boards/{board_id}/ranking
    GET /api/v1/boards/{board_id}/lineage                  GET /boards/{board_id}/lineage
    GET /api/v1/boards/{board_id}/clusters                 GET /boards/{board_id}/taste
    GET /api/v1/boards/{board_id}/summary                  GET /boards/{board_id}/runs
    GET /api/v1/boards/{board_id}/taste                    GET /boards/{board_id}/live
    GET /api/v1/boards/{board_id}/events                   GET /boards/{board_id}/likeness
    GET /api/v1/boards/{board_id}/likeness                 GET /boards/{board_id}/rounds
    GET /api/v1/boards/{board_id}/rounds                   GET /boards/{board_id}/rounds/{round_id}
    GET /api/v1/boards/{board_id}/rounds/{round_id}        GET /boards/{board_id}/feed.atom
    GET /api/v1/boards/{board_id}/map                      GET /boards/{board_id}/map
    GET /api/v1/ideas                                      GET /ideas/{idea_id}
    GET /api/v1/ideas/{idea_id}                            GET /ideas/{idea_id}/card
    GET /api/v1/ideas/{idea_id}/versions                   GET /ideas/{idea_id}/lineage
    GET /api/v1/ideas/{idea_id}/evaluations                GET /ideas/{idea_id}/compare
    GET /api/v1/ideas/{idea_id}/similar                    GET /api/v1/ideas/{idea_id}/lineage
    GET /api/v1/ideas/{idea_id}/compare                    GET /api/v1/ideas/{idea_id}/comments
    GET /api/v1/ideas/{idea_id}/export
    GET /api/v1/comments/{comment_id}                      GET /comments/{comment_id}
    GET /api/v1/ideas/{idea_id}/attachments
    GET /api/v1/attachments/{attachment_id}                GET /attachments/{attachment_id}
    GET /api/v1/attachments/{attachment_id}/content
    GET /api/v1/runs                                       GET /runs/{run_id}
    GET /api/v1/runs/{run_id}                              GET /runs/{run_id}/live
    GET /api/v1/runs/{run_id}/events                       GET /suggestions/{suggestion_id}
    GET /runs/{run_id}/toast
    GET /api/v1/runs/{run_id}/edits                        GET /changes/{change_id}
    GET /api/v1/changes/{change_id}                        GET /boards/{board_id}/bulk
    GET /api/v1/models                                     GET /models
    GET /v1/models                                         GET /v1/models/{model}
    """,
    Role.COMMENTER: """
    PUT /api/v1/ideas/{idea_id}/like                       POST /ideas/{idea_id}/like
    DELETE /api/v1/ideas/{idea_id}/like                    POST /ideas/{idea_id}/comments
    POST /api/v1/ideas/{idea_id}/comments                  POST /comments/{comment_id}
    PATCH /api/v1/comments/{comment_id}                    POST /comments/{comment_id}/delete
    DELETE /api/v1/comments/{comment_id}                   POST /comments/{comment_id}/restore
    POST /api/v1/comments/{comment_id}/restore             POST /boards/{board_id}/rank/votes
    POST /api/v1/boards/{board_id}/comparisons
    DELETE /api/v1/boards/{board_id}/comparisons/{comparison_id}
    POST /boards/{board_id}/rank/votes/{comparison_id}/undo
    """,
    Role.EDITOR: """
    POST /api/v1/brainstorm                                POST /boards/{board_id}/brainstorm
    POST /api/v1/refine                                    POST /boards/{board_id}/combine
    POST /api/v1/evaluate                                  POST /boards/{board_id}/evaluate
    POST /api/v1/rank                                      POST /boards/{board_id}/evaluate-selected
    POST /api/v1/boards/{board_id}/evaluate                POST /boards/{board_id}/rank/compare
    POST /api/v1/suggestions/{suggestion_id}/redraw        POST /suggestions/{suggestion_id}/redraw
    POST /api/v1/suggestions/{suggestion_id}/keep          POST /suggestions/{suggestion_id}/keep
    POST /api/v1/suggestions/{suggestion_id}/discard       POST /suggestions/{suggestion_id}/discard
    POST /api/v1/suggestions/{suggestion_id}/avoid         POST /suggestions/{suggestion_id}/avoid
    POST /api/v1/suggestions/{suggestion_id}/reopen        POST /suggestions/{suggestion_id}/reopen
    POST /suggestions/{suggestion_id}/more                 POST /runs/{run_id}/again
    POST /api/v1/runs/{run_id}/repeat                      POST /runs/{run_id}/more
    POST /api/v1/runs/{run_id}/cancel                      POST /runs/{run_id}/stop
    POST /api/v1/runs/{run_id}/keep                        POST /runs/{run_id}/keep-all
    POST /api/v1/runs/{run_id}/accept                      POST /runs/{run_id}/accept
    POST /api/v1/runs/{run_id}/reject                      POST /runs/{run_id}/reject
    POST /api/v1/runs/{run_id}/reopen                      POST /runs/{run_id}/reopen/{version}
    POST /runs/{run_id}/keep-selected                      GET /runs/{run_id}/edit
    PATCH /api/v1/boards/{board_id}                        POST /boards/{board_id}
    POST /api/v1/boards/{board_id}/rubrics                 POST /boards/{board_id}/rubrics
    PATCH /api/v1/boards/{board_id}/rubrics/{rubric_id}    POST /rubrics/{rubric_id}
    DELETE /api/v1/boards/{board_id}/rubrics/{rubric_id}   POST /rubrics/{rubric_id}/delete
    POST /api/v1/boards/{board_id}/rubrics/{rubric_id}/restore
    POST /rubrics/{rubric_id}/restore                      POST /boards/{board_id}/rubrics/shown
    POST /api/v1/boards/{board_id}/clusters                POST /boards/{board_id}/clusters
    GET /boards/{board_id}/clusters
    DELETE /api/v1/boards/{board_id}/taste                 POST /boards/{board_id}/taste
    GET /boards/{board_id}/taste/forget                    POST /boards/{board_id}/taste/forget
    POST /api/v1/boards/{board_id}/rounds                  POST /boards/{board_id}/rounds
    POST /api/v1/boards/{board_id}/rounds/{round_id}/end   POST /boards/{board_id}/rounds/{round_id}/end
    POST /api/v1/boards/{board_id}/rounds/{round_id}/extend
    POST /boards/{board_id}/rounds/{round_id}/extend       POST /boards/{board_id}/rounds/{round_id}/ideas
    POST /api/v1/boards/{board_id}/rounds/{round_id}/names
    POST /boards/{board_id}/rounds/{round_id}/names        POST /boards/{board_id}/people-first
    POST /boards/{board_id}/ideas
    GET /api/v1/boards/{board_id}/trash                    GET /boards/{board_id}/trash
    POST /api/v1/boards/{board_id}/trash/restore           POST /boards/{board_id}/trash/restore
    POST /api/v1/ideas/bulk                                POST /boards/{board_id}/bulk
    POST /api/v1/changes/{change_id}/undo                  POST /changes/{change_id}/undo
    POST /api/v1/ideas                                     POST /ideas/{idea_id}
    PATCH /api/v1/ideas/{idea_id}                          GET /ideas/{idea_id}/edit
    DELETE /api/v1/ideas/{idea_id}                         POST /ideas/{idea_id}/delete
    POST /api/v1/ideas/{idea_id}/restore                   POST /ideas/{idea_id}/restore
    POST /api/v1/ideas/{idea_id}/versions/{number}/restore POST /ideas/{idea_id}/versions/{number}/restore
    POST /api/v1/ideas/{idea_id}/place                     POST /ideas/{idea_id}/place
    POST /api/v1/ideas/{idea_id}/attachments               POST /ideas/{idea_id}/attachments
    PATCH /api/v1/attachments/{attachment_id}              POST /attachments/{attachment_id}
    DELETE /api/v1/attachments/{attachment_id}             POST /attachments/{attachment_id}/delete
    POST /api/v1/attachments/{attachment_id}/restore       POST /attachments/{attachment_id}/restore
    POST /ideas/{idea_id}/ticks                            POST /ideas/{idea_id}/preview
    POST /ideas/{idea_id}/star                             POST /ideas/{idea_id}/status
    POST /ideas/{idea_id}/move                             POST /ideas/{idea_id}/brainstorm
    POST /ideas/{idea_id}/refine                           POST /ideas/{idea_id}/evaluate
    GET /api/v1/inspirations                               POST /api/v1/import
    GET /import                                            POST /import
    GET /import/{token}                                    POST /import/{token}
    GET /api/v1/imports/{import_id}                        GET /import/{token}/progress
    POST /api/v1/imports/{import_id}/stop                  POST /import/{token}/stop
    POST /v1/chat/completions                              POST /v1/completions
    POST /v1/responses                                     POST /v1/embeddings
    """,
}
# The role that is needed on every board.
ON_EVERY_BOARD: dict[Role, str] = {
    Role.EDITOR: """
    POST /api/v1/boards                                    POST /boards
    POST /api/v1/boards/sample                             POST /boards/sample
    GET /boards/new                                        POST /boards/from-template
    GET /boards/from-template                              GET /boards/sample
    DELETE /api/v1/boards/{board_id}                       POST /boards/{board_id}/delete
    POST /api/v1/boards/{board_id}/restore                 POST /boards/{board_id}/restore
    """,
    Role.OWNER: """
    GET /people                                            POST /people/{person_id}
    POST /people/{person_id}/remove                        POST /people/{person_id}/restore
    POST /people/{person_id}/sign-out                      POST /people/{person_id}/revoke-keys
    GET /people/{person_id}/remove                         POST /people/invitations
    POST /people/invitations/{invitation_id}/withdraw
    GET /api/v1/people                                     PATCH /api/v1/people/{person_id}
    DELETE /api/v1/people/{person_id}                      POST /api/v1/people/{person_id}/restore
    DELETE /api/v1/people/{person_id}/sessions             DELETE /api/v1/people/{person_id}/keys
    GET /api/v1/invitations                                POST /api/v1/invitations
    DELETE /api/v1/invitations/{invitation_id}
    GET /api/v1/boards/{board_id}/links                    GET /boards/{board_id}/share
    POST /api/v1/boards/{board_id}/links                   POST /boards/{board_id}/share
    DELETE /api/v1/boards/{board_id}/links/{link_id}       POST /boards/{board_id}/share/{link_id}/withdraw
    GET /api/v1/webhooks                                   POST /api/v1/webhooks
    GET /api/v1/webhooks/{webhook_id}                      PATCH /api/v1/webhooks/{webhook_id}
    DELETE /api/v1/webhooks/{webhook_id}                   POST /api/v1/webhooks/{webhook_id}/test
    GET /api/v1/webhooks/{webhook_id}/deliveries
    POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/retry
    GET /webhooks                                          POST /webhooks
    GET /webhooks/{webhook_id}                             POST /webhooks/{webhook_id}
    POST /webhooks/{webhook_id}/switch                     POST /webhooks/{webhook_id}/test
    POST /webhooks/{webhook_id}/deliveries/{delivery_id}/retry
    GET /webhooks/{webhook_id}/delete                      POST /webhooks/{webhook_id}/delete
    POST /models                                           PUT /api/v1/models/served
    POST /models/speed                                     POST /api/v1/models/speed
    POST /models/calibration                               POST /models/calibration/delete
    GET /api/v1/models/{name}/calibration                  POST /api/v1/models/{name}/calibration
    DELETE /api/v1/models/{name}/calibration
    DELETE /api/v1/boards/{board_id}/trash                 GET /boards/{board_id}/trash/delete
    POST /boards/{board_id}/trash/delete
    GET /boards/{board_id}/delete-for-good                 POST /boards/{board_id}/delete-for-good
    GET /help/doctor                                       GET /metrics
    """,
}
# The role that is needed on the board that the query names as `board`, and by owners without it.
ON_A_BOARD_OF_THE_QUERY = {"GET /api/v1/export": Role.READER}
# Where method and role do not say it: what stores nothing on the server, or asks for a key's scope by
# itself as each call of a tool does; what a monitoring program reads; and what belongs to a person, but
# would give a key rights beyond its own, or take those of other keys away.
SCOPES: dict[KeyScope, str] = {
    KeyScope.READ: """
    POST /logout                       POST /theme                         POST /language
    POST /shortcuts                    POST /mcp                           GET /metrics
    """,
    KeyScope.ADMIN: """
    POST /me/keys                      POST /me/keys/{key_id}/revoke       POST /me/sign-out
    POST /api/v1/me/keys               DELETE /api/v1/me/keys/{key_id}     DELETE /api/v1/me/sessions
    """,
}
